# Completion of evstore in bash, made by: evstore completion bash
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
        '')
            flags='--version --db -F --format --errors --color -q --quiet -v --verbose --timeout -h --help'
            valued=' --db --format --errors --color --timeout ' letters='F'
            ;;
        init)
            flags='--tamper-evident --grant-read --grant-append --db -F --format --errors --color -q --quiet -v --verbose --timeout -h --help'
            valued=' --grant-read --grant-append --db --format --errors --color --timeout ' letters='F'
            ;;
        append)
            flags='-t --type -d --data --many -e --expect --id --key --tag --tag-from --unless --after --require --source --each --batch --skip-stored --copy --dry-run --echo --correlation-id --causation-id --user-id --tenant-id -m --meta --metadata --db -F --format --errors --color -q --quiet -v --verbose --timeout -h --help'
            valued=' --type --data --expect --id --key --tag --tag-from --unless --after --require --source --batch --correlation-id --causation-id --user-id --tenant-id --meta --metadata --db --format --errors --color --timeout ' letters='tdemF'
            ;;
        read)
            flags='--from --after --to -n --limit --last -r --reverse -t --type --tag --since --until -f --follow --within --missing-ok --fields --utc --db -F --format --errors --color -q --quiet -v --verbose --timeout -h --help'
            valued=' --from --after --to --limit --last --type --tag --since --until --within --fields --db --format --errors --color --timeout ' letters='ntF'
            ;;
        replay)
            flags='--all --from --after --to -n --limit --last -r --reverse -t --type --tag --match --correlation-id --user-id --tenant-id -m --meta --since --until -f --follow --within --fields --utc --db -F --format --errors --color -q --quiet -v --verbose --timeout -h --help'
            valued=' --from --after --to --limit --last --type --tag --match --correlation-id --user-id --tenant-id --meta --since --until --within --fields --db --format --errors --color --timeout ' letters='ntmF'
            ;;
        categories)
            flags='--names --prefix --utc --db -F --format --errors --color -q --quiet -v --verbose --timeout -h --help'
            valued=' --prefix --db --format --errors --color --timeout ' letters='F'
            ;;
        tail)
            flags='--all --from --after --to -n --limit --last -r --reverse -t --type --tag --match --correlation-id --user-id --tenant-id -m --meta --since --until -f --follow --within --fields --utc --db -F --format --errors --color -q --quiet -v --verbose --timeout -h --help'
            valued=' --from --after --to --limit --last --type --tag --match --correlation-id --user-id --tenant-id --meta --since --until --within --fields --db --format --errors --color --timeout ' letters='ntmF'
            ;;
        count)
            flags='--from --after --to -t --type --tag --match --correlation-id --user-id --tenant-id -m --meta --since --until --utc --db -F --format --errors --color -q --quiet -v --verbose --timeout -h --help'
            valued=' --from --after --to --type --tag --match --correlation-id --user-id --tenant-id --meta --since --until --db --format --errors --color --timeout ' letters='tmF'
            ;;
        types)
            flags='--names --prefix --db -F --format --errors --color -q --quiet -v --verbose --timeout -h --help'
            valued=' --prefix --db --format --errors --color --timeout ' letters='F'
            ;;
        tags)
            flags='--names --prefix --db -F --format --errors --color -q --quiet -v --verbose --timeout -h --help'
            valued=' --prefix --db --format --errors --color --timeout ' letters='F'
            ;;
        streams)
            flags='--names --prefix --sort -r --reverse -n --limit --utc --db -F --format --errors --color -q --quiet -v --verbose --timeout -h --help'
            valued=' --prefix --sort --limit --db --format --errors --color --timeout ' letters='nF'
            ;;
        get)
            flags='--missing-ok --fields --utc --db -F --format --errors --color -q --quiet -v --verbose --timeout -h --help'
            valued=' --fields --db --format --errors --color --timeout ' letters='F'
            ;;
        info)
            flags='--missing-ok --utc --db -F --format --errors --color -q --quiet -v --verbose --timeout -h --help'
            valued=' --db --format --errors --color --timeout ' letters='F'
            ;;
        trace)
            flags='--fields --utc --db -F --format --errors --color -q --quiet -v --verbose --timeout -h --help'
            valued=' --fields --db --format --errors --color --timeout ' letters='F'
            ;;
        export)
            flags='-O --output --force --consumers --from --after --to -t --type --tag --match --correlation-id --user-id --tenant-id -m --meta --since --until --utc --db -F --format --errors --color -q --quiet -v --verbose --timeout -h --help'
            valued=' --output --from --after --to --type --tag --match --correlation-id --user-id --tenant-id --meta --since --until --db --format --errors --color --timeout ' letters='OtmF'
            ;;
        import)
            flags='--renumber --db -F --format --errors --color -q --quiet -v --verbose --timeout -h --help'
            valued=' --db --format --errors --color --timeout ' letters='F'
            ;;
        backup)
            flags='--force --db -F --format --errors --color -q --quiet -v --verbose --timeout -h --help'
            valued=' --db --format --errors --color --timeout ' letters='F'
            ;;
        verify)
            flags='--engine --from --expect --db -F --format --errors --color -q --quiet -v --verbose --timeout -h --help'
            valued=' --from --expect --db --format --errors --color --timeout ' letters='F'
            ;;
        migrate)
            flags='--status --dry-run --finish --utc --db -F --format --errors --color -q --quiet -v --verbose --timeout -h --help'
            valued=' --db --format --errors --color --timeout ' letters='F'
            ;;
        redact)
            flags='--reason --metadata --user-id --db -F --format --errors --color -q --quiet -v --verbose --timeout -h --help'
            valued=' --reason --user-id --db --format --errors --color --timeout ' letters='F'
            ;;
        subscribe)
            flags='--all -t --type --start --once --batch --retries --backoff --on-failure --append --ack --member --refilter --if-held --fields --utc --db -F --format --errors --color -q --quiet -v --verbose --timeout -h --help'
            valued=' --type --start --batch --retries --backoff --on-failure --ack --member --if-held --fields --db --format --errors --color --timeout ' letters='tF'
            ;;
        consumers)
            flags='--to --position --within --names --prefix --utc --db -F --format --errors --color -q --quiet -v --verbose --timeout -h --help'
            valued=' --to --position --within --prefix --db --format --errors --color --timeout ' letters='F'
            ;;
        mirror)
            flags='--once --db -F --format --errors --color -q --quiet -v --verbose --timeout -h --help'
            valued=' --db --format --errors --color --timeout ' letters='F'
            ;;
        diff)
            flags='--db -F --format --errors --color -q --quiet -v --verbose --timeout -h --help'
            valued=' --db --format --errors --color --timeout ' letters='F'
            ;;
        help)
            flags='--db -F --format --errors --color -q --quiet -v --verbose --timeout -h --help'
            valued=' --db --format --errors --color --timeout ' letters='F'
            ;;
        completion)
            flags='--db -F --format --errors --color -q --quiet -v --verbose --timeout -h --help'
            valued=' --db --format --errors --color --timeout ' letters='F'
            ;;
    esac
}

# Sets offers: the words that may follow a flag of a command.
_evstore_behind() {
    offers=''
    case "$1 $2" in
        *' '--db) offers='files' ;;
        *' '-F | *' '--format) offers='auto table ndjson json tsv' ;;
        *' '--errors) offers='text json' ;;
        *' '--color) offers='auto always never' ;;
        'append '-t | 'append '--type) offers='types' ;;
        'append '-d | 'append '--data) offers='at-files' ;;
        'append '-e | 'append '--expect) offers='any no-stream exists' ;;
        'append '--tag) offers='tags' ;;
        'read '-n | 'read '--limit) offers='all' ;;
        'read '-t | 'read '--type) offers='types' ;;
        'read '--tag) offers='tags' ;;
        'replay '-n | 'replay '--limit) offers='all' ;;
        'replay '-t | 'replay '--type) offers='types' ;;
        'replay '--tag) offers='tags' ;;
        'tail '-n | 'tail '--limit) offers='all' ;;
        'tail '-t | 'tail '--type) offers='types' ;;
        'tail '--tag) offers='tags' ;;
        'count '-t | 'count '--type) offers='types' ;;
        'count '--tag) offers='tags' ;;
        'streams '--sort) offers='name version updated' ;;
        'streams '-n | 'streams '--limit) offers='all' ;;
        'export '-O | 'export '--output) offers='files' ;;
        'export '-t | 'export '--type) offers='types' ;;
        'export '--tag) offers='tags' ;;
        'subscribe '-t | 'subscribe '--type) offers='types' ;;
        'subscribe '--start) offers='beginning end' ;;
        'subscribe '--on-failure) offers='stop park' ;;
        'subscribe '--ack) offers='printed' ;;
        'subscribe '--if-held) offers='fail skip' ;;
        'consumers '--to) offers='start end' ;;
    esac
}

# Sets offers: what may stand at a place of a command.
_evstore_at() {
    offers=''
    case "$1 $2" in
        'init '1) offers='files' ;;
        'append '1) offers='streams' ;;
        'append '*) offers='files' ;;
        'read '1) offers='streams' ;;
        'replay '*) offers='categories' ;;
        'tail '*) offers='categories' ;;
        'count '*) offers='categories' ;;
        'types '1) offers='categories' ;;
        'streams '1) offers='categories' ;;
        'info '1) offers='streams' ;;
        'export '*) offers='categories' ;;
        'import '1) offers='files' ;;
        'backup '1) offers='files' ;;
        'subscribe '1) offers='consumers' ;;
        'subscribe '*) offers='categories' ;;
        'consumers '1) offers='show reset remove retry drop wait' ;;
        'consumers '2) offers='consumers' ;;
        'mirror '1) offers='files' ;;
        'diff '1) offers='files' ;;
        'completion '1) offers='bash zsh fish' ;;
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
    elif [[ $ended && ' subscribe ' == *" $command "* ]]; then
        _evstore_another
    elif [[ ! $ended && $word == --*=* ]]; then
        _evstore_behind "$command" "${word%%=*}"
        _evstore_offer "${word#*=}" "${word%%=*}="
    else
        if [[ ! $command ]]; then offers='init append read replay categories tail count types tags streams get info trace export import backup verify migrate redact subscribe consumers mirror diff help completion'
        else _evstore_at "$command" "$place"
        fi
        [[ ! $ended && ($word == -* || ! $offers) ]] && offers=$flags
        _evstore_offer "$word" ''
    fi
}

complete -F _evstore evstore
