# bash completion for elementctl(1). Needs nothing but bash: no function of the bash-completion package.

# The first column of what elementctl prints with these arguments, which has a line of titles. Names hold no other
# characters, and must not: compgen -W expands what it is given.
_elementctl_column() {
    elementctl "$@" 2>/dev/null </dev/null | while read -r first _; do
        [[ $first == *[!A-Za-z0-9._-]* ]] || printf '%s\n' "$first"
    done | tail -n +2
}

_elementctl() {
    local asking='--root= --socket= --json'
    local current=${COMP_WORDS[COMP_CWORD]} command='' option='' word i n=0 options words=''
    local -a where=() # to ask: the options that say which elementd

    # "--root=DIR" is three words where "=" breaks words, as it does at first.
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ -n $option ]]; then
            [[ $word == = ]] && continue
            [[ $option =~ ^--(timeout|wait|user|unit|account)$ ]] || where+=("$option=$word")
            option=
            continue
        fi
        case $word in
        --root | --socket | --timeout | --user | --unit | --account) option=$word ;;
        --wait) [[ ${COMP_WORDS[i + 1]} != = ]] || option=$word ;;
        --root=* | --socket=*) where+=("$word") ;;
        -*) ;;
        *) if [[ -n $command ]]; then n=$((n + 1)); else command=$word; fi ;;
        esac
    done
    [[ $current != = ]] || current=

    COMPREPLY=()
    case $option in
    --root)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -d -- "$current")
        return
        ;;
    --socket)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
        ;;
    --user)
        mapfile -t COMPREPLY < <(compgen -u -- "$current")
        return
        ;;
    --timeout | --wait | --unit | --account) return ;;
    esac

    case $command in
    '') options="$asking --wait --timeout= --user= --unit= --list --account= --offline" ;;
    token | authorization) options="$asking --wait" ;;
    list | status | watch | reload | orphans) options=$asking ;;
    explain) options="$asking --user= --unit=" ;;
    wait) options='--root= --socket= --timeout=' ;;
    rejected | retry) options='--root= --socket=' ;;
    check) options='--root= --json' ;;
    template) options="$asking --list --account= --offline" ;;
    *) options='' ;;
    esac
    if [[ $current == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options --help --version" -- "$current")
        if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]]; then compopt -o nospace 2>/dev/null; fi
        return
    fi

    case $command:$n in
    :*) words='token authorization list status watch wait rejected explain retry reload orphans check template' ;;
    wait:* | token:0 | authorization:0 | status:0 | watch:0 | rejected:0 | explain:0 | retry:0)
        words=$(_elementctl_column "${where[@]}" list)
        ;;
    template:0) words=$(_elementctl_column template) ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -F _elementctl elementctl
