#compdef allears
# Completions of allears for zsh. A later allears still answers this script.
_allears() {
    local answer kind line heading value
    local -i kept width
    local -a lines headings values shown expl
    # The program gets the words without quotes, and the last one up to the cursor.
    answer=$(command allears __complete zsh "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null) || return 1
    lines=("${(@f)answer}")
    kind=${lines[1]%%$'\t'*}
    kept=${lines[1]#*$'\t'}
    shift lines
    # What stays of the word is no part of the matches. If there are quotes in it, it is longer than the program knows.
    [[ ${PREFIX[1,kept]} == *[\\\'\"]* || $QIPREFIX != (|[\"\']) ]] && return 1
    compset -p $kept
    case $kind in
        files) _files; return ;;
        directories) _files -/; return ;;
    esac
    local -i ret=1
    headings=("${(@u)lines%%$'\t'*}")
    for heading in "${headings[@]}"; do
        values=() shown=() width=0
        for line in "${(@M)lines:#$heading$'\t'*}"; do
            value=${${line#*$'\t'}%%$'\t'*}
            values+=("$value")
            (( $#value > width )) && width=$#value
        done
        for line in "${(@M)lines:#$heading$'\t'*}"; do
            value=${${line#*$'\t'}%%$'\t'*}
            line=${line#*$'\t'*$'\t'}
            shown+=("${(r:width:)value}${line:+  -- $line}")
        done
        _description -V "${heading}s" expl "$heading"
        # Something has to follow a beginning.
        [[ $heading == beginning ]] && expl+=(-S '')
        compadd "$expl[@]" -l -d shown -a values && ret=0
    done
    return ret
}
if [[ ${funcstack[1]} == _allears ]]; then
    _allears "$@"
else
    compdef _allears allears
fi
