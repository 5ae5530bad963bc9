"""What the shells run to complete a line: each asks `setol` itself, in the way that click answers.

They differ from click's own in what these get wrong: a value behind `--option=`, a comma in a description (fish), a
path behind `~` (fish).
"""

_BASH = """\
_setol_completion() {
    local IFS=$'\\n' completion type value
    local -a words=("${COMP_WORDS[@]}")
    local -i cword=$COMP_CWORD
    if (( cword > 1 )) && [[ ${words[cword-1]} == "=" ]]; then  # bash makes three words of --option=value
        unset "words[cword-1]"
        cword+=-1
    fi
    COMPREPLY=()
    for completion in $(env COMP_WORDS="${words[*]}" COMP_CWORD=$cword _SETOL_COMPLETE=bash_complete setol); do
        IFS=',' read -r type value <<< "$completion"
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain) COMPREPLY+=("$value") ;;
        esac
    done
}

complete -o nosort -F _setol_completion setol
"""

_ZSH = """\
#compdef setol

_setol_completion() {
    local -a answer described plain
    local type value help

    answer=("${(@f)$(env COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT-1)) _SETOL_COMPLETE=zsh_complete setol)}")
    [[ $PREFIX == --*=* ]] && compset -P '*='  # --option= stays; what is offered is the value

    for type value help in "${(@)answer}"; do
        case $type in
            dir) _path_files -/ ;;
            file) _path_files -f ;;
            plain) if [[ $help == _ ]]; then plain+=("$value"); else described+=("$value:$help"); fi ;;
        esac
    done

    (( $#described )) && _describe -V unsorted described
    (( $#plain )) && compadd -V unsorted -a plain
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _setol_completion "$@"
else
    compdef _setol_completion setol
fi
"""

_FISH = """\
function _setol_completion
    set -l line (commandline -cp)
    set -l token (commandline -ct)
    set -l option (string match -r -- '^--[^=]+=' $token)  # stays in front of the value
    set -l begun (string replace -r -- '^--[^=]+=' '' $token)
    for answer in (env COMP_WORDS="$line" COMP_CWORD="$token" _SETOL_COMPLETE=fish_complete setol)
        set -l offer (string split -m 1 -- , $answer)
        switch $offer[1]
            case dir
                printf '%s\\n' "$option"(__fish_complete_directories $begun)
            case file
                printf '%s\\n' "$option"(complete -C "'' $begun")
            case plain
                printf '%s\\n' "$option$offer[2]"
        end
    end
end

complete --no-files --command setol --arguments '(_setol_completion)'
"""

SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
"""The script of each shell; `setol` answers it through `_SETOL_COMPLETE`."""
