#compdef elementctl
# zsh completion for elementctl(1).

# The first column of what elementctl prints with these arguments, without its title.
_elementctl_column() {
    local -a lines
    lines=(${(f)"$(command elementctl "$@" 2>/dev/null </dev/null)"})
    lines=(${lines[2,-1]%% *})
    compadd -a lines
}

# As many options that say which elementd to ask as were typed.
_elementctl_instances() {
    _elementctl_column ${(M)words:#--(root|socket)=*} list
}

_elementctl_elements() {
    _elementctl_column template
}

_elementctl() {
    local root='--root=[work with the host whose files are below DIR]:folder:_directories'
    local socket='--socket=[ask the elementd that listens there]:socket:_files'
    local json='--json[print JSON]'
    local wait='--wait=-[wait for a token, SEC seconds or up to an hour]::seconds:'
    local timeout='--timeout=[wait SEC seconds at most; without it, for ever]:seconds:'
    local user='--user=[explain what this user may have, by name or number (root)]:user:_users'
    local unit='--unit=[explain what this systemd unit may have (root)]:unit:'
    local account='--account=[make a template for this account]:account:'
    local offline='--offline[make a template without asking the platform]'
    local list='--list[list all elements that have a template]'
    local -a commands options places typed
    local command

    commands=(
        'token:print the token of an instance'
        'authorization:print the whole value of its Authorization header'
        'list:list the instances that you may use'
        'status:say what is wrong and what to do, of all or one'
        'watch:print a line for each change, until interrupted'
        'wait:wait until those, or all, have a token'
        'rejected:verify a token that was refused; it is read from stdin'
        'explain:tell which entry lets you or another in'
        'retry:try again now what waits or has failed (root)'
        'reload:apply the configuration, all of it or nothing (root)'
        "orphans:list what is left over on the platform (root)"
        'check:check the configuration, without elementd'
        'template:print an instance file to fill in, or list the elements'
    )
    # The first word that is neither an option nor its value, before the cursor.
    typed=(${words[2,CURRENT-1]})
    while (( $#typed )); do
        case $typed[1] in
        --root | --socket | --timeout | --user | --unit | --account) shift typed ;;
        -*) ;;
        *)
            command=$typed[1]
            break
            ;;
        esac
        (( $#typed )) && shift typed
    done

    case $command in
    '') options=($root $socket $json $wait $timeout $user $unit $list $account $offline) ;;
    token | authorization) options=($root $socket $json $wait) ;;
    list | status | watch | reload | orphans) options=($root $socket $json) ;;
    explain) options=($root $socket $json $user $unit) ;;
    wait) options=($root $socket $timeout) ;;
    rejected | retry) options=($root $socket) ;;
    check) options=($root $json) ;;
    template) options=($root $socket $json $list $account $offline) ;;
    esac
    case $command in
    token | authorization | status | watch | rejected | explain | retry) places=('2:instance:_elementctl_instances') ;;
    wait) places=('*:instance:_elementctl_instances') ;;
    template) places=('2:element:_elementctl_elements') ;;
    esac
    _arguments $options '(-h --help)'{-h,--help}'[print this]' '--version[print the version]' \
        '1:command:{ _describe command commands }' $places
}

_elementctl "$@"
