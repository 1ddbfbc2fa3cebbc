# fish completion for elementctl(1).

# The words that were typed and are neither options nor their values: the command and its arguments.
function __elementctl_words
    set -l words (commandline -opc)
    set -e words[1]
    while set -q words[1]
        switch $words[1]
            case --root --socket --timeout --user --unit --account
                set -e words[1]
            case '-*'
            case '*'
                echo $words[1]
        end
        set -e words[1]
    end
end

function __elementctl_has_none
    test (count (__elementctl_words)) -eq 0
end

# Whether the command is one of these.
function __elementctl_is
    set -l words (__elementctl_words)
    set -q words[1]; and contains -- $words[1] $argv
end

# Whether it is, and has no argument yet.
function __elementctl_is_first
    __elementctl_is $argv; and test (count (__elementctl_words)) -eq 1
end

# The first column of what elementctl prints with these arguments, without its title.
function __elementctl_column
    command elementctl $argv 2>/dev/null </dev/null | tail -n +2 | string replace -r ' .*' ''
end

function __elementctl_instances
    __elementctl_column (string match -r -- '^--(?:root|socket)=.*' (commandline -opc)) list
end

complete -c elementctl -f

complete -c elementctl -n __elementctl_has_none -a token -d 'print the token of an instance'
complete -c elementctl -n __elementctl_has_none -a authorization -d 'print the whole value of its Authorization header'
complete -c elementctl -n __elementctl_has_none -a list -d 'list the instances that you may use'
complete -c elementctl -n __elementctl_has_none -a status -d 'say what is wrong and what to do, of all or one'
complete -c elementctl -n __elementctl_has_none -a watch -d 'print a line for each change, until interrupted'
complete -c elementctl -n __elementctl_has_none -a wait -d 'wait until those, or all, have a token'
complete -c elementctl -n __elementctl_has_none -a rejected -d 'verify a token that was refused; it is read from stdin'
complete -c elementctl -n __elementctl_has_none -a explain -d 'tell which entry lets you or another in'
complete -c elementctl -n __elementctl_has_none -a retry -d 'try again now what waits or has failed (root)'
complete -c elementctl -n __elementctl_has_none -a reload -d 'apply the configuration, all of it or nothing (root)'
complete -c elementctl -n __elementctl_has_none -a orphans -d 'list what is left over on the platform (root)'
complete -c elementctl -n __elementctl_has_none -a check -d 'check the configuration, without elementd'
complete -c elementctl -n __elementctl_has_none -a template -d 'print an instance file to fill in, or list the elements'

complete -c elementctl -n '__elementctl_is_first token authorization status watch rejected explain retry' -a '(__elementctl_instances)'
complete -c elementctl -n '__elementctl_is wait' -a '(__elementctl_instances)'
complete -c elementctl -n '__elementctl_is_first template' -a '(__elementctl_column template)'

complete -c elementctl -l root -r -a '(__fish_complete_directories)' -d 'work with the host whose files are below DIR'
complete -c elementctl -l socket -r -F -d 'ask the elementd that listens there' \
    -n 'not __elementctl_is check'
complete -c elementctl -l json -d 'print JSON' \
    -n 'not __elementctl_is wait rejected retry'
complete -c elementctl -l wait -d 'wait for a token, SEC seconds or up to an hour' \
    -n '__elementctl_has_none; or __elementctl_is token authorization'
complete -c elementctl -l timeout -x -d 'wait SEC seconds at most; without it, for ever' \
    -n '__elementctl_has_none; or __elementctl_is wait'
complete -c elementctl -l user -x -a '(__fish_complete_users)' -d 'explain what this user may have, by name or number (root)' \
    -n '__elementctl_has_none; or __elementctl_is explain'
complete -c elementctl -l unit -x -d 'explain what this systemd unit may have (root)' \
    -n '__elementctl_has_none; or __elementctl_is explain'
complete -c elementctl -l account -x -d 'make a template for this account' \
    -n '__elementctl_has_none; or __elementctl_is template'
complete -c elementctl -l offline -d 'make a template without asking the platform' \
    -n '__elementctl_has_none; or __elementctl_is template'
complete -c elementctl -l list -d 'list all elements that have a template' \
    -n '__elementctl_has_none; or __elementctl_is template'
complete -c elementctl -s h -l help -d 'print this'
complete -c elementctl -l version -d 'print the version'
