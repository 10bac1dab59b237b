# Completions of allears for fish. A later allears still answers this script.
function __allears_complete
    set -l before (commandline --current-process --tokenize --cut-at-cursor)
    set -l word (commandline --current-token --cut-at-cursor)
    # The word without quotes, unless a quote is still open.
    set -l plain (string unescape -- $word)
    set -q plain[1]; or set plain "$word"
    set -l answer (command allears __complete fish $before[2..-1] "$plain" 2>/dev/null)
    or return
    set -l kind (string split \t -- $answer[1])
    switch $kind[1]
        case files directories
            set -l kept (string sub --length $kind[2] -- "$plain")
            set -l rest (string sub --start (math $kind[2] + 1) -- "$plain")
            if test $kind[1] = files
                printf '%s\n' $kept(__fish_complete_path "$rest")
            else
                printf '%s\n' $kept(__fish_complete_directories "$rest" '')
            end
        case '*'
            printf '%s\n' $answer[2..-1]
    end
end
complete --command allears --no-files --keep-order --arguments '(__allears_complete)'
