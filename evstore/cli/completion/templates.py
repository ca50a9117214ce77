"""The constant parts of the completion scripts of bash and zsh; `scripts` fills in the rest at «…»."""

from __future__ import annotations

from typing import Final

BASH: Final = r"""# Completion of evstore in bash, made by: evstore completion bash
# Commands and flags stand here; names of streams, categories, types, tags and consumers come from the store.

# Sets words, without their quotes, and word, the one at the cursor. Nothing is expanded but a leading ~/; what the
# shell would expand becomes a control character, which fits no name and no path.
_evstore_split() {
    local text=$1 char='' quote='' begun='' i
    words=() word=''
    for ((i = 0; i < ${#text}; i++)); do
        char=${text:i:1}
        if [[ $quote == "'" ]]; then
            [[ $char == "'" ]] && quote='' || word+=$char
            continue
        fi
        case $char in
            [\'\"])
                if [[ ! $quote ]]; then quote=$char begun=1
                elif [[ $char == "$quote" ]]; then quote=''
                else word+=$char
                fi
                ;;
            \\) ((i++)); word+=${text:i:1} begun=1 ;;
            [$\`]) word+=$'\1' begun=1 ;;
            [[:space:]])
                if [[ $quote ]]; then word+=$char
                elif [[ $begun ]]; then words+=("$word") word='' begun=''
                fi
                ;;
            '~')
                [[ $begun ]] && word+='~' || { [[ ${text:i+1:1} == / ]] && word=$HOME || word=$'\1'; }
                begun=1
                ;;
            *) word+=$char begun=1 ;;
        esac
    done
}

# Sets flags, and those of them that take a value, of a command.
_evstore_flags() {
    flags='' valued='' letters=''
    case $1 in
«tables»
    esac
}

# Sets offers: the words that may follow a flag of a command.
_evstore_behind() {
    offers=''
    case "$1 $2" in
«kinds»
    esac
}

# Sets offers: what may stand at a place of a command.
_evstore_at() {
    offers=''
    case "$1 $2" in
«places»
    esac
}

# Sets command, place, waiting (the flag whose value is next) and ended (by --) from the words before the cursor.
_evstore_parse() {
    local each
    command='' place=1 waiting='' ended=''
    _evstore_flags ''
    for each in "${words[@]:1}"; do
        if [[ $waiting ]]; then
            waiting=''
        elif [[ ! $ended && $each == -- ]]; then
            ended=1
        elif [[ ! $ended && $each == --* ]]; then
            [[ $valued == *" $each "* ]] && waiting=$each
            [[ $each == --many ]] && ((place++)) # the input says the streams
        elif [[ ! $ended && $each == -?* ]]; then
            [[ $each =~ ^-[^-$letters]*[$letters]$ ]] && waiting=-${each: -1}
        elif [[ $command ]]; then
            ((place++))
        else
            command=$each
            _evstore_flags "$command"
        fi
    done
}

# Sets db to what --db says, wherever on the line.
_evstore_db() {
    local words word i
    _evstore_split "$1 "
    for ((i = 1; i < ${#words[@]}; i++)); do
        case ${words[i]} in
            --db) db=(--db "${words[i+1]-}") ;;
            --db=*) db=(--db "${words[i]#--db=}") ;;
        esac
    done
}

# Adds to COMPREPLY what of the offers begins with the value, as what readline puts for its own word.
_evstore_offer() {
    local value=$1 head=$2 each='' db=()
    case $offers in
        files) compopt -o default 2>/dev/null; return ;;
        at-files)
            [[ $value == @* ]] || return
            compopt -o filenames -o nospace 2>/dev/null
            value=${value#@} head+=@ offers=$(compgen -f -- "${value#@}") ;;
        streams | categories | types | tags | consumers)
            _evstore_db "$line"
            offers=$(command evstore --complete "$offers" "$value" ${db[@]+"${db[@]}"} 2>/dev/null </dev/null) ;;
        *) offers=${offers// /$'\n'} ;;
    esac
    while [[ $offers ]]; do # not word by word, which would look for files that match
        each=${offers%%$'\n'*}
        offers=${offers#"$each"} offers=${offers#$'\n'}
        [[ $each == "$value"* ]] || continue
        [[ $head == *@ && -d $each ]] && each+=/
        each=$head$each
        COMPREPLY+=("${each#"$trim"}")
    done
}

# Completes the command behind "--" as at the start of a line.
_evstore_another() {
    local each i
    for ((i = 1; i < COMP_CWORD; i++)); do
        [[ ${COMP_WORDS[i]} == -- ]] && break
    done
    if declare -F _comp_command_offset >/dev/null; then _comp_command_offset $((i + 1)); return
    elif declare -F _command_offset >/dev/null; then _command_offset $((i + 1)); return
    fi
    if ((i + 1 == COMP_CWORD)); then
        while IFS= read -r each; do COMPREPLY+=("${each#"$trim"}"); done < <(compgen -c -- "$word")
    fi
    compopt -o default 2>/dev/null # files, where there is nothing else
}

_evstore() {
    local line=${COMP_LINE-${COMP_WORDS[*]}}
    local words word trim own flags valued letters offers command place waiting ended
    COMPREPLY=()
    _evstore_split "${line:0:${COMP_POINT-${#line}}}"
    own=${2-$word} own=${own#[\"\']}
    trim=${word%"$own"} # readline parts words at = : and @, too
    _evstore_parse
    if [[ $waiting ]]; then
        _evstore_behind "$command" "$waiting"
        _evstore_offer "$word" ''
    elif [[ $ended && ' «runs» ' == *" $command "* ]]; then
        _evstore_another
    elif [[ ! $ended && $word == --*=* ]]; then
        _evstore_behind "$command" "${word%%=*}"
        _evstore_offer "${word#*=}" "${word%%=*}="
    else
        if [[ ! $command ]]; then offers='«commands»'
        else _evstore_at "$command" "$place"
        fi
        [[ ! $ended && ($word == -* || ! $offers) ]] && offers=$flags
        _evstore_offer "$word" ''
    fi
}

complete -F _evstore evstore
"""

ZSH: Final = r"""#compdef evstore
# Completion of evstore in zsh, made by: evstore completion zsh
# Commands and flags stand here; names of streams, categories, types, tags and consumers come from the store.

# Offer names of the store. What the shell would expand in --db is no path that is known here.
_evstore_names() {
    local -a db found
    local i
    for ((i = 2; i <= $#_evstore_line; i++)); do
        case $_evstore_line[i] in
            --db) db=(--db "$_evstore_line[i+1]") ;;
            --db=*) db=(--db "${_evstore_line[i]#--db=}") ;;
        esac
    done
    [[ $db[2] == *[\$\`]* ]] && return 1
    [[ $db[2] == '~/'* ]] && db[2]=$HOME${db[2]#\~}
    found=(${(f)"$(command evstore --complete "$@[-1]" "$PREFIX" $db 2>/dev/null </dev/null)"})
    compadd "${@[1,-2]}" -a found
}

_evstore_at_files() {
    compset -P @ && _files
}

_evstore_stream_or_file() {
    # With --many the input says the streams.
    if (( $_evstore_line[(Ie)--many] )); then _files; else _evstore_names "$@" streams; fi
}

_evstore_commands() {
    local -a commands=(
«commands»
    )
    _describe -t commands command commands
}

_evstore() {
    local curcontext=$curcontext state state_descr ret=1
    local -a line _evstore_line=("${(@Q)words}")
    local -A opt_args
    _arguments -s -S -C -A '-*' \
«top» \
        '1:command:_evstore_commands' \
        '*::argument:->argument' && ret=0
    [[ $state == argument ]] || return ret
    local -i dashes=$words[(ie)--]
    if [[ $line[1] == («runs») ]] && (( dashes < CURRENT )); then # as at the start of a line
        shift $dashes words
        (( CURRENT -= dashes ))
        _normal
        return
    fi
    case $line[1] in
«cases»
    esac
    return ret
}

if [[ $funcstack[1] == _evstore ]]; then _evstore "$@"; else compdef _evstore evstore; fi
"""


def fill(template: str, **parts: str) -> str:
    for name, text in parts.items():
        template = template.replace(f"«{name}»", text)
    return template
