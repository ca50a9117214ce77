# Completion of evstore in fish, made by: evstore completion fish
# Commands and flags stand here; names of streams, categories, types, tags and consumers come from the store.

# The long options of a command that take a value, and the letters of the short ones.
function __evstore_longs
    switch "$argv[1]"
        case init
            printf '%s\n' --grant-read --grant-append --db --format --errors --color --timeout
        case append
            printf '%s\n' --type --data --expect --id --key --tag --tag-from --unless --after --require --source --batch --correlation-id --causation-id --user-id --tenant-id --meta --metadata --db --format --errors --color --timeout
        case read
            printf '%s\n' --from --after --to --limit --last --type --tag --since --until --within --fields --db --format --errors --color --timeout
        case replay
            printf '%s\n' --from --after --to --limit --last --type --tag --match --correlation-id --user-id --tenant-id --meta --since --until --within --fields --db --format --errors --color --timeout
        case categories
            printf '%s\n' --prefix --db --format --errors --color --timeout
        case tail
            printf '%s\n' --from --after --to --limit --last --type --tag --match --correlation-id --user-id --tenant-id --meta --since --until --within --fields --db --format --errors --color --timeout
        case count
            printf '%s\n' --from --after --to --type --tag --match --correlation-id --user-id --tenant-id --meta --since --until --db --format --errors --color --timeout
        case types
            printf '%s\n' --prefix --db --format --errors --color --timeout
        case tags
            printf '%s\n' --prefix --db --format --errors --color --timeout
        case streams
            printf '%s\n' --prefix --sort --limit --db --format --errors --color --timeout
        case get
            printf '%s\n' --fields --db --format --errors --color --timeout
        case info
            printf '%s\n' --db --format --errors --color --timeout
        case trace
            printf '%s\n' --fields --db --format --errors --color --timeout
        case export
            printf '%s\n' --output --from --after --to --type --tag --match --correlation-id --user-id --tenant-id --meta --since --until --db --format --errors --color --timeout
        case import
            printf '%s\n' --db --format --errors --color --timeout
        case backup
            printf '%s\n' --db --format --errors --color --timeout
        case verify
            printf '%s\n' --from --expect --db --format --errors --color --timeout
        case migrate
            printf '%s\n' --db --format --errors --color --timeout
        case redact
            printf '%s\n' --reason --user-id --db --format --errors --color --timeout
        case subscribe
            printf '%s\n' --type --start --batch --retries --backoff --on-failure --ack --member --if-held --fields --db --format --errors --color --timeout
        case consumers
            printf '%s\n' --to --position --within --prefix --db --format --errors --color --timeout
        case mirror
            printf '%s\n' --db --format --errors --color --timeout
        case diff
            printf '%s\n' --db --format --errors --color --timeout
        case help
            printf '%s\n' --db --format --errors --color --timeout
        case completion
            printf '%s\n' --db --format --errors --color --timeout
        case '*'
            printf '%s\n' --db --format --errors --color --timeout
    end
end

function __evstore_letters
    switch "$argv[1]"
        case init
            printf '%s\n' F
        case append
            printf '%s\n' tdemF
        case read
            printf '%s\n' ntF
        case replay
            printf '%s\n' ntmF
        case categories
            printf '%s\n' F
        case tail
            printf '%s\n' ntmF
        case count
            printf '%s\n' tmF
        case types
            printf '%s\n' F
        case tags
            printf '%s\n' F
        case streams
            printf '%s\n' nF
        case get
            printf '%s\n' F
        case info
            printf '%s\n' F
        case trace
            printf '%s\n' F
        case export
            printf '%s\n' OtmF
        case import
            printf '%s\n' F
        case backup
            printf '%s\n' F
        case verify
            printf '%s\n' F
        case migrate
            printf '%s\n' F
        case redact
            printf '%s\n' F
        case subscribe
            printf '%s\n' tF
        case consumers
            printf '%s\n' F
        case mirror
            printf '%s\n' F
        case diff
            printf '%s\n' F
        case help
            printf '%s\n' F
        case completion
            printf '%s\n' F
        case '*'
            echo F
    end
end

# Whether the cursor is at COMMAND ("" is before any), and at its PLACE, or with "more" at that one or after it; or
# "behind" the -- after which another command stands.
function __evstore_at
    set -l command ''
    set -l place 1
    set -l waiting 0
    set -l ended 0
    set -l longs (__evstore_longs '')
    set -l letters (__evstore_letters '')
    set -l words (commandline -opc)
    for each in $words[2..-1]
        if test $waiting = 1
            set waiting 0
        else if test $ended = 0 -a "x$each" = x--
            set ended 1
        else if test $ended = 0; and string match -q -- '-?*' $each
            if contains -- $each $longs; or string match -qr -- "^-[^-$letters]*[$letters]\$" $each
                set waiting 1
            else if test "x$each" = x--many # the input says the streams
                set place (math $place + 1)
            end
        else if test -n "$command"
            set place (math $place + 1)
        else
            set command $each
            set longs (__evstore_longs $command)
            set letters (__evstore_letters $command)
        end
    end
    test "x$command" = "x$argv[1]"; or return 1
    if test $ended = 1; and contains -- "$command" subscribe
        test "x$argv[2]" = xbehind
        return
    end
    test "x$argv[2]" = xbehind; and return 1
    set -q argv[2]; or return 0
    test $place = $argv[2]; or test "x$argv[3]" = xmore -a $place -gt $argv[2]
end

function __evstore_value
    commandline -ct | string replace -r -- '^--[a-z-]+=' ''
end

function __evstore_names
    set -l db
    set -l words (commandline -op)
    for i in (seq 2 (count $words))
        switch $words[$i]
            case --db
                set -l next (math $i + 1)
                set db --db "$words[$next]"
            case '--db=*'
                set db --db (string replace -- --db= '' $words[$i])
        end
    end
    # What the shell would expand is no path that could be known here.
    string match -qr -- '[$()]' "$db[2]"; and return
    set db (string replace -r -- '^~/' "$HOME/" $db)
    set -l value (__evstore_value)
    command evstore --complete $argv[1] "$value" $db 2>/dev/null </dev/null
end

function __evstore_at_files
    set -l value (__evstore_value)
    string match -q -- '@*' "$value"; or return
    string replace -r -- '^' @ (__fish_complete_path (string sub -s 2 -- $value))
end

# What fish offers for the command behind "--".
function __evstore_another
    set -l words (commandline -opc)
    set -l at (contains -i -- -- $words); or return
    set -l rest (string escape -- $words[(math $at + 1)..(count $words)])
    test $at = (count $words); and set rest
    # What the shell would run stays as it is.
    string match -qr -- '[$()]' (commandline -ct | string collect -a); and return
    complete -C (string join ' ' -- $rest (commandline -ct | string collect -a))
end

complete -c evstore -e
complete -c evstore -f
complete -c evstore -l db -r -F -d 'The store: sqlite:///rel.db, sqlite:////abs.db, a path, postgresql://user@host/db, nats://host/name, mongodb://host/db, memory:, memory:FILE.ndjson, or env:NAME for the URL in a variable'
complete -c evstore -s F -l format -r -f -a 'auto table ndjson json tsv' -d 'auto, table, ndjson, json or tsv'
complete -c evstore -l errors -r -f -a 'text json' -d 'text or json, on stderr'
complete -c evstore -l color -r -f -a 'auto always never' -d 'auto, always or never'
complete -c evstore -s q -l quiet -d 'Print no notes'
complete -c evstore -s v -l verbose -d 'Print the store and the time taken'
complete -c evstore -l timeout -r -f -d 'The longest wait for a lock (30s) or a connection (5s)'
complete -c evstore -s h -l help -d 'Show this message and exit'
complete -c evstore -n '__evstore_at ""' -l version -d 'Print the version'
complete -c evstore -n '__evstore_at ""' -a init -d 'Make the store, if it is not there yet'
complete -c evstore -n '__evstore_at ""' -a append -d 'Append events to a stream: all of them, durably, or none'
complete -c evstore -n '__evstore_at ""' -a read -d 'Print one stream, by version'
complete -c evstore -n '__evstore_at ""' -a replay -d 'Print the log of categories, or all of it, by global position'
complete -c evstore -n '__evstore_at ""' -a categories -d 'List the categories with their counts, by name'
complete -c evstore -n '__evstore_at ""' -a tail -d 'Print the newest events of the log, then new ones as they come'
complete -c evstore -n '__evstore_at ""' -a count -d 'Count the events of the log, of categories, or with a filter'
complete -c evstore -n '__evstore_at ""' -a types -d 'List the event types with their counts, by name'
complete -c evstore -n '__evstore_at ""' -a tags -d 'List the tags with their counts, by name'
complete -c evstore -n '__evstore_at ""' -a streams -d 'List the streams, of a category or all, by id'
complete -c evstore -n '__evstore_at ""' -a get -d 'Print events by id, in the order asked'
complete -c evstore -n '__evstore_at ""' -a info -d 'Describe the store, or one stream'
complete -c evstore -n '__evstore_at ""' -a trace -d 'Print the events of a correlation, on a terminal as a tree'
complete -c evstore -n '__evstore_at ""' -a export -d 'Print the log as NDJSON, for `evstore import`'
complete -c evstore -n '__evstore_at ""' -a import -d 'Store what `evstore export` wrote, as it was'
complete -c evstore -n '__evstore_at ""' -a backup -d 'Copy a SQLite store, whole and consistent, while it is in use'
complete -c evstore -n '__evstore_at ""' -a verify -d 'Check that the store does not contradict itself, while it is in use'
complete -c evstore -n '__evstore_at ""' -a migrate -d 'Bring a store of an older evstore up to the schema of this one'
complete -c evstore -n '__evstore_at ""' -a redact -d 'Take the data of events, for ever: it becomes null. The events stay'
complete -c evstore -n '__evstore_at ""' -a subscribe -d 'Run a command for each event, and keep how far NAME has come'
complete -c evstore -n '__evstore_at ""' -a consumers -d 'List the consumers with their lag, or look after one'
complete -c evstore -n '__evstore_at ""' -a mirror -d 'Keep another store equal to this one'
complete -c evstore -n '__evstore_at ""' -a diff -d 'Show where another store differs from this one'
complete -c evstore -n '__evstore_at ""' -a help -d 'Print the help of a command, or a page of the guide'
complete -c evstore -n '__evstore_at ""' -a completion -d 'Print the completion script of a shell'

complete -c evstore -n '__evstore_at init' -l tamper-evident -d 'Keep with each event a digest of the log up to it'
complete -c evstore -n '__evstore_at init' -l grant-read -r -f -d 'PostgreSQL: let this role read; repeatable'
complete -c evstore -n '__evstore_at init' -l grant-append -r -f -d 'PostgreSQL: let this role read and append; repeatable'
complete -c evstore -n '__evstore_at init 1' -F

complete -c evstore -n '__evstore_at append' -s t -l type -r -f -a '(__evstore_names types)' -d 'The event type'
complete -c evstore -n '__evstore_at append' -s d -l data -r -f -a '(__evstore_at_files)' -d 'The data of one event; @FILE and @- read it from there'
complete -c evstore -n '__evstore_at append' -l many -d 'Each value of the input names its stream: "streamId"'
complete -c evstore -n '__evstore_at append' -s e -l expect -r -f -a 'any no-stream exists' -d 'Append only if the stream is at version N, is missing, or exists'
complete -c evstore -n '__evstore_at append' -l id -r -f -d 'The event\'s id: a second run stores nothing'
complete -c evstore -n '__evstore_at append' -l key -r -f -d 'Make ids from stream, TEXT and ordinal: a second run stores nothing'
complete -c evstore -n '__evstore_at append' -l tag -r -f -a '(__evstore_names tags)' -d 'A tag of every event, as order:17; repeatable'
complete -c evstore -n '__evstore_at append' -l tag-from -r -f -d 'The tag NAME:VALUE, from the data of each event; repeatable'
complete -c evstore -n '__evstore_at append' -l unless -r -f -d 'Append only if no stored event matches, as in \'type=SeatTaken tag=seat:12\'; repeatable'
complete -c evstore -n '__evstore_at append' -l after -r -f -d '--unless looks at events after global position P; once, or once for each'
complete -c evstore -n '__evstore_at append' -l require -r -f -d 'Append only if this other stream is at version N, exists or is missing; repeatable'
complete -c evstore -n '__evstore_at append' -l source -r -f -d 'Store how far an outside source is taken, as orders.csv@17; a position not greater than the last stores nothing'
complete -c evstore -n '__evstore_at append' -l each -d 'Append each event on its own; print its receipt when it is durable'
complete -c evstore -n '__evstore_at append' -l batch -r -f -d 'Commit every N events'
complete -c evstore -n '__evstore_at append' -l skip-stored -d 'Skip events that are stored already and are the same'
complete -c evstore -n '__evstore_at append' -l copy -d 'Append copies: "streamId" and "id" of the input are ignored'
complete -c evstore -n '__evstore_at append' -l dry-run -d 'Check everything, print the events that would be stored, write nothing'
complete -c evstore -n '__evstore_at append' -l echo -d 'Print the stored events instead of a receipt'
complete -c evstore -n '__evstore_at append' -l correlation-id -r -f -d 'An id shared by all that belongs together'
complete -c evstore -n '__evstore_at append' -l causation-id -r -f -d 'The id of the event or command that caused it'
complete -c evstore -n '__evstore_at append' -l user-id -r -f -d 'The user who caused it'
complete -c evstore -n '__evstore_at append' -l tenant-id -r -f -d 'The tenant concerned'
complete -c evstore -n '__evstore_at append' -s m -l meta -r -f -d 'Into "custom"; repeatable'
complete -c evstore -n '__evstore_at append' -l metadata -r -f -d 'Metadata as one object'
complete -c evstore -n '__evstore_at append 1' -f -a '(__evstore_names streams)'
complete -c evstore -n '__evstore_at append 2 more' -F

complete -c evstore -n '__evstore_at read' -l from -r -f -d 'Begin with number N, inclusive'
complete -c evstore -n '__evstore_at read' -l after -r -f -d 'Begin after number N'
complete -c evstore -n '__evstore_at read' -l to -r -f -d 'End with number N, inclusive'
complete -c evstore -n '__evstore_at read' -s n -l limit -r -f -a 'all' -d 'Print at most N events'
complete -c evstore -n '__evstore_at read' -l last -r -f -d 'The newest N, oldest first'
complete -c evstore -n '__evstore_at read' -s r -l reverse -d 'Newest first'
complete -c evstore -n '__evstore_at read' -s t -l type -r -f -a '(__evstore_names types)' -d 'Only this type; repeatable'
complete -c evstore -n '__evstore_at read' -l tag -r -f -a '(__evstore_names tags)' -d 'Only events with this tag; repeatable, ANDed'
complete -c evstore -n '__evstore_at read' -l since -r -f -d 'Only events stored at TIME or later: 2026-11-23T14:30:00Z; in local time, as tables print it, \'2026-11-23 14:30\', 2026-11-23, 14:30, today, yesterday; an age: 2h, 7d'
complete -c evstore -n '__evstore_at read' -l until -r -f -d 'Only events stored before TIME'
complete -c evstore -n '__evstore_at read' -s f -l follow -d 'Keep printing new events as they come'
complete -c evstore -n '__evstore_at read' -l within -r -f -d 'With -f -n N: exit with 124 unless N events come in time'
complete -c evstore -n '__evstore_at read' -l missing-ok -d 'Exit with 0 if it is missing'
complete -c evstore -n '__evstore_at read' -l fields -r -f -d 'Print only these fields: id,type,data.orderId,metadata.custom.k,category …'
complete -c evstore -n '__evstore_at read' -l utc -d 'Print and read times without a zone in UTC'
complete -c evstore -n '__evstore_at read 1' -f -a '(__evstore_names streams)'

complete -c evstore -n '__evstore_at replay' -l all -d 'The whole log'
complete -c evstore -n '__evstore_at replay' -l from -r -f -d 'Begin with number N, inclusive'
complete -c evstore -n '__evstore_at replay' -l after -r -f -d 'Begin after number N'
complete -c evstore -n '__evstore_at replay' -l to -r -f -d 'End with number N, inclusive'
complete -c evstore -n '__evstore_at replay' -s n -l limit -r -f -a 'all' -d 'Print at most N events'
complete -c evstore -n '__evstore_at replay' -l last -r -f -d 'The newest N, oldest first'
complete -c evstore -n '__evstore_at replay' -s r -l reverse -d 'Newest first'
complete -c evstore -n '__evstore_at replay' -s t -l type -r -f -a '(__evstore_names types)' -d 'Only this type; repeatable'
complete -c evstore -n '__evstore_at replay' -l tag -r -f -a '(__evstore_names tags)' -d 'Only events with this tag; repeatable, ANDed'
complete -c evstore -n '__evstore_at replay' -l match -r -f -d 'Only events that match, as \'type=A,B tag=x tag=y\' (one of the types, all of the tags); repeatable, ORed'
complete -c evstore -n '__evstore_at replay' -l correlation-id -r -f -d 'Only events with this correlation id'
complete -c evstore -n '__evstore_at replay' -l user-id -r -f -d 'Only events with this user id'
complete -c evstore -n '__evstore_at replay' -l tenant-id -r -f -d 'Only events with this tenant id'
complete -c evstore -n '__evstore_at replay' -s m -l meta -r -f -d 'Only events with this in "custom"; repeatable, ANDed'
complete -c evstore -n '__evstore_at replay' -l since -r -f -d 'Only events stored at TIME or later: 2026-11-23T14:30:00Z; in local time, as tables print it, \'2026-11-23 14:30\', 2026-11-23, 14:30, today, yesterday; an age: 2h, 7d'
complete -c evstore -n '__evstore_at replay' -l until -r -f -d 'Only events stored before TIME'
complete -c evstore -n '__evstore_at replay' -s f -l follow -d 'Keep printing new events as they come'
complete -c evstore -n '__evstore_at replay' -l within -r -f -d 'With -f -n N: exit with 124 unless N events come in time'
complete -c evstore -n '__evstore_at replay' -l fields -r -f -d 'Print only these fields: id,type,data.orderId,metadata.custom.k,category …'
complete -c evstore -n '__evstore_at replay' -l utc -d 'Print and read times without a zone in UTC'
complete -c evstore -n '__evstore_at replay 1 more' -f -a '(__evstore_names categories)'

complete -c evstore -n '__evstore_at categories' -l names -d 'Print names alone, one a line'
complete -c evstore -n '__evstore_at categories' -l prefix -r -f -d 'Only names that begin with P'
complete -c evstore -n '__evstore_at categories' -l utc -d 'Print and read times without a zone in UTC'

complete -c evstore -n '__evstore_at tail' -l all -d 'The whole log'
complete -c evstore -n '__evstore_at tail' -l from -r -f -d 'Begin with number N, inclusive'
complete -c evstore -n '__evstore_at tail' -l after -r -f -d 'Begin after number N'
complete -c evstore -n '__evstore_at tail' -l to -r -f -d 'End with number N, inclusive'
complete -c evstore -n '__evstore_at tail' -s n -l limit -r -f -a 'all' -d 'Print at most N events'
complete -c evstore -n '__evstore_at tail' -l last -r -f -d 'The newest N, oldest first'
complete -c evstore -n '__evstore_at tail' -s r -l reverse -d 'Newest first'
complete -c evstore -n '__evstore_at tail' -s t -l type -r -f -a '(__evstore_names types)' -d 'Only this type; repeatable'
complete -c evstore -n '__evstore_at tail' -l tag -r -f -a '(__evstore_names tags)' -d 'Only events with this tag; repeatable, ANDed'
complete -c evstore -n '__evstore_at tail' -l match -r -f -d 'Only events that match, as \'type=A,B tag=x tag=y\' (one of the types, all of the tags); repeatable, ORed'
complete -c evstore -n '__evstore_at tail' -l correlation-id -r -f -d 'Only events with this correlation id'
complete -c evstore -n '__evstore_at tail' -l user-id -r -f -d 'Only events with this user id'
complete -c evstore -n '__evstore_at tail' -l tenant-id -r -f -d 'Only events with this tenant id'
complete -c evstore -n '__evstore_at tail' -s m -l meta -r -f -d 'Only events with this in "custom"; repeatable, ANDed'
complete -c evstore -n '__evstore_at tail' -l since -r -f -d 'Only events stored at TIME or later: 2026-11-23T14:30:00Z; in local time, as tables print it, \'2026-11-23 14:30\', 2026-11-23, 14:30, today, yesterday; an age: 2h, 7d'
complete -c evstore -n '__evstore_at tail' -l until -r -f -d 'Only events stored before TIME'
complete -c evstore -n '__evstore_at tail' -s f -l follow -d 'Keep printing new events as they come'
complete -c evstore -n '__evstore_at tail' -l within -r -f -d 'With -f -n N: exit with 124 unless N events come in time'
complete -c evstore -n '__evstore_at tail' -l fields -r -f -d 'Print only these fields: id,type,data.orderId,metadata.custom.k,category …'
complete -c evstore -n '__evstore_at tail' -l utc -d 'Print and read times without a zone in UTC'
complete -c evstore -n '__evstore_at tail 1 more' -f -a '(__evstore_names categories)'

complete -c evstore -n '__evstore_at count' -l from -r -f -d 'Begin with number N, inclusive'
complete -c evstore -n '__evstore_at count' -l after -r -f -d 'Begin after number N'
complete -c evstore -n '__evstore_at count' -l to -r -f -d 'End with number N, inclusive'
complete -c evstore -n '__evstore_at count' -s t -l type -r -f -a '(__evstore_names types)' -d 'Only this type; repeatable'
complete -c evstore -n '__evstore_at count' -l tag -r -f -a '(__evstore_names tags)' -d 'Only events with this tag; repeatable, ANDed'
complete -c evstore -n '__evstore_at count' -l match -r -f -d 'Only events that match, as \'type=A,B tag=x tag=y\' (one of the types, all of the tags); repeatable, ORed'
complete -c evstore -n '__evstore_at count' -l correlation-id -r -f -d 'Only events with this correlation id'
complete -c evstore -n '__evstore_at count' -l user-id -r -f -d 'Only events with this user id'
complete -c evstore -n '__evstore_at count' -l tenant-id -r -f -d 'Only events with this tenant id'
complete -c evstore -n '__evstore_at count' -s m -l meta -r -f -d 'Only events with this in "custom"; repeatable, ANDed'
complete -c evstore -n '__evstore_at count' -l since -r -f -d 'Only events stored at TIME or later: 2026-11-23T14:30:00Z; in local time, as tables print it, \'2026-11-23 14:30\', 2026-11-23, 14:30, today, yesterday; an age: 2h, 7d'
complete -c evstore -n '__evstore_at count' -l until -r -f -d 'Only events stored before TIME'
complete -c evstore -n '__evstore_at count' -l utc -d 'Print and read times without a zone in UTC'
complete -c evstore -n '__evstore_at count 1 more' -f -a '(__evstore_names categories)'

complete -c evstore -n '__evstore_at types' -l names -d 'Print names alone, one a line'
complete -c evstore -n '__evstore_at types' -l prefix -r -f -d 'Only names that begin with P'
complete -c evstore -n '__evstore_at types 1' -f -a '(__evstore_names categories)'

complete -c evstore -n '__evstore_at tags' -l names -d 'Print names alone, one a line'
complete -c evstore -n '__evstore_at tags' -l prefix -r -f -d 'Only names that begin with P'

complete -c evstore -n '__evstore_at streams' -l names -d 'Print names alone, one a line'
complete -c evstore -n '__evstore_at streams' -l prefix -r -f -d 'Only names that begin with P'
complete -c evstore -n '__evstore_at streams' -l sort -r -f -a 'name version updated' -d 'The order'
complete -c evstore -n '__evstore_at streams' -s r -l reverse -d 'The last of that order first'
complete -c evstore -n '__evstore_at streams' -s n -l limit -r -f -a 'all' -d 'At most N streams'
complete -c evstore -n '__evstore_at streams' -l utc -d 'Print and read times without a zone in UTC'
complete -c evstore -n '__evstore_at streams 1' -f -a '(__evstore_names categories)'

complete -c evstore -n '__evstore_at get' -l missing-ok -d 'Exit with 0 if it is missing'
complete -c evstore -n '__evstore_at get' -l fields -r -f -d 'Print only these fields: id,type,data.orderId,metadata.custom.k,category …'
complete -c evstore -n '__evstore_at get' -l utc -d 'Print and read times without a zone in UTC'

complete -c evstore -n '__evstore_at info' -l missing-ok -d 'Exit with 0 if it is missing'
complete -c evstore -n '__evstore_at info' -l utc -d 'Print and read times without a zone in UTC'
complete -c evstore -n '__evstore_at info 1' -f -a '(__evstore_names streams)'

complete -c evstore -n '__evstore_at trace' -l fields -r -f -d 'Print only these fields: id,type,data.orderId,metadata.custom.k,category …'
complete -c evstore -n '__evstore_at trace' -l utc -d 'Print and read times without a zone in UTC'

complete -c evstore -n '__evstore_at export' -s O -l output -r -F -d 'Write to FILE; compressed if its name ends in .gz. - is stdout'
complete -c evstore -n '__evstore_at export' -l force -d 'Replace FILE if it exists'
complete -c evstore -n '__evstore_at export' -l consumers -d 'Add a line for each consumer, with its checkpoint, at the end'
complete -c evstore -n '__evstore_at export' -l from -r -f -d 'Begin with number N, inclusive'
complete -c evstore -n '__evstore_at export' -l after -r -f -d 'Begin after number N'
complete -c evstore -n '__evstore_at export' -l to -r -f -d 'End with number N, inclusive'
complete -c evstore -n '__evstore_at export' -s t -l type -r -f -a '(__evstore_names types)' -d 'Only this type; repeatable'
complete -c evstore -n '__evstore_at export' -l tag -r -f -a '(__evstore_names tags)' -d 'Only events with this tag; repeatable, ANDed'
complete -c evstore -n '__evstore_at export' -l match -r -f -d 'Only events that match, as \'type=A,B tag=x tag=y\' (one of the types, all of the tags); repeatable, ORed'
complete -c evstore -n '__evstore_at export' -l correlation-id -r -f -d 'Only events with this correlation id'
complete -c evstore -n '__evstore_at export' -l user-id -r -f -d 'Only events with this user id'
complete -c evstore -n '__evstore_at export' -l tenant-id -r -f -d 'Only events with this tenant id'
complete -c evstore -n '__evstore_at export' -s m -l meta -r -f -d 'Only events with this in "custom"; repeatable, ANDed'
complete -c evstore -n '__evstore_at export' -l since -r -f -d 'Only events stored at TIME or later: 2026-11-23T14:30:00Z; in local time, as tables print it, \'2026-11-23 14:30\', 2026-11-23, 14:30, today, yesterday; an age: 2h, 7d'
complete -c evstore -n '__evstore_at export' -l until -r -f -d 'Only events stored before TIME'
complete -c evstore -n '__evstore_at export' -l utc -d 'Print and read times without a zone in UTC'
complete -c evstore -n '__evstore_at export 1 more' -f -a '(__evstore_names categories)'

complete -c evstore -n '__evstore_at import' -l renumber -d 'Store the events at the next positions and versions'
complete -c evstore -n '__evstore_at import 1' -F

complete -c evstore -n '__evstore_at backup' -l force -d 'Replace FILE if it exists'
complete -c evstore -n '__evstore_at backup 1' -F

complete -c evstore -n '__evstore_at verify' -l engine -d 'Run the database\'s own check as well: integrity_check, amcheck'
complete -c evstore -n '__evstore_at verify' -l from -r -f -d 'Begin with number N, inclusive'
complete -c evstore -n '__evstore_at verify' -l expect -r -f -d 'The digest of the log up to P'

complete -c evstore -n '__evstore_at migrate' -l status -d 'Print each step and whether it is applied; exit 1 if one is pending'
complete -c evstore -n '__evstore_at migrate' -l dry-run -d 'Print the steps that would be applied, and apply none'
complete -c evstore -n '__evstore_at migrate' -l finish -d 'Take away what older versions of evstore need, once none is left'
complete -c evstore -n '__evstore_at migrate' -l utc -d 'Print and read times without a zone in UTC'

complete -c evstore -n '__evstore_at redact' -l reason -r -f -d 'Why the data goes; kept for ever'
complete -c evstore -n '__evstore_at redact' -l metadata -d 'Take the metadata as well'
complete -c evstore -n '__evstore_at redact' -l user-id -r -f -d 'Who redacts'

complete -c evstore -n '__evstore_at subscribe' -l all -d 'The whole log'
complete -c evstore -n '__evstore_at subscribe' -s t -l type -r -f -a '(__evstore_names types)' -d 'Only this type; repeatable'
complete -c evstore -n '__evstore_at subscribe' -l start -r -f -a 'beginning end' -d 'Where a new name begins: after position P'
complete -c evstore -n '__evstore_at subscribe' -l once -d 'Stop at the end of the log'
complete -c evstore -n '__evstore_at subscribe' -l batch -r -f -d 'At most N events at once'
complete -c evstore -n '__evstore_at subscribe' -l retries -r -f -d 'Run a failed command again'
complete -c evstore -n '__evstore_at subscribe' -l backoff -r -f -d 'Before the first retry; then ever longer'
complete -c evstore -n '__evstore_at subscribe' -l on-failure -r -f -a 'stop park' -d 'After the last try stop, or park the event, which holds back the later events of its stream alone'
complete -c evstore -n '__evstore_at subscribe' -l append -d 'Append the envelopes that COMMAND prints, in the step that moves the checkpoint'
complete -c evstore -n '__evstore_at subscribe' -l ack -r -f -a 'printed' -d 'Without COMMAND: what is printed is handled; what a pipe holds when its reader dies is lost'
complete -c evstore -n '__evstore_at subscribe' -l member -r -f -d 'Be member I of N, from 1, that share the streams'
complete -c evstore -n '__evstore_at subscribe' -l refilter -d 'Keep these categories and types in the place of the stored ones'
complete -c evstore -n '__evstore_at subscribe' -l if-held -r -f -a 'fail skip' -d 'Where another process works for NAME: exit with 9, or with 0'
complete -c evstore -n '__evstore_at subscribe' -l fields -r -f -d 'Print only these fields: id,type,data.orderId,metadata.custom.k,category …'
complete -c evstore -n '__evstore_at subscribe' -l utc -d 'Print and read times without a zone in UTC'
complete -c evstore -n '__evstore_at subscribe behind' -a '(__evstore_another)'
complete -c evstore -n '__evstore_at subscribe 1' -f -a '(__evstore_names consumers)'
complete -c evstore -n '__evstore_at subscribe 2 more' -f -a '(__evstore_names categories)'

complete -c evstore -n '__evstore_at consumers' -l to -r -f -a 'start end' -d 'reset: begin after this position'
complete -c evstore -n '__evstore_at consumers' -l position -r -f -d 'wait: until the consumer has come as far as P'
complete -c evstore -n '__evstore_at consumers' -l within -r -f -d 'wait: exit with 124 if it takes longer'
complete -c evstore -n '__evstore_at consumers' -l names -d 'Print names alone, one a line'
complete -c evstore -n '__evstore_at consumers' -l prefix -r -f -d 'Only names that begin with P'
complete -c evstore -n '__evstore_at consumers' -l utc -d 'Print and read times without a zone in UTC'
complete -c evstore -n '__evstore_at consumers 1' -f -a 'show reset remove retry drop wait'
complete -c evstore -n '__evstore_at consumers 2' -f -a '(__evstore_names consumers)'

complete -c evstore -n '__evstore_at mirror' -l once -d 'Stop at the end that the log has now'
complete -c evstore -n '__evstore_at mirror 1' -F

complete -c evstore -n '__evstore_at diff 1' -F


complete -c evstore -n '__evstore_at completion 1' -f -a 'bash zsh fish'
