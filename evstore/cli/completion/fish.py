"""The constant part of the completion script of fish; `scripts` fills in the rest at «…»."""

from __future__ import annotations

from typing import Final

FISH: Final = r"""# Completion of evstore in fish, made by: evstore completion fish
# Commands and flags stand here; names of streams, categories, types, tags and consumers come from the store.

# The long options of a command that take a value, and the letters of the short ones.
function __evstore_longs
    switch "$argv[1]"
«longs»
        case '*'
            printf '%s\n' «top_longs»
    end
end

function __evstore_letters
    switch "$argv[1]"
«letters»
        case '*'
            echo «top_letters»
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
    if test $ended = 1; and contains -- "$command" «runs»
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
«lines»
"""
