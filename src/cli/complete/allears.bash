# Completions of allears for bash. A later allears still answers this script.
_allears() {
    local kind word answer
    COMPREPLY=()
    # The program reads the line itself: bash has split it at each colon.
    answer=$(command allears __complete bash "${COMP_LINE:0:COMP_POINT}" "$2" 2>/dev/null) || return 0
    {
        IFS= read -r kind
        while IFS= read -r word; do
            COMPREPLY+=("$word")
        done
    } <<<"$answer"
    case $kind in
        nospace) compopt -o nospace 2>/dev/null ;;
        files) compopt -o default 2>/dev/null ;;
        directories) compopt -o dirnames 2>/dev/null ;;
    esac
    return 0
}
# Before version 4.4 bash sorts the words itself.
complete -o nosort -F _allears allears 2>/dev/null || complete -F _allears allears
