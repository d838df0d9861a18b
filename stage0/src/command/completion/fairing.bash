# Completion of fairing for bash. The program itself knows what may come next.
_fairing() {
    local candidates candidate
    COMPREPLY=()
    if ! candidates=$("${COMP_WORDS[0]}" complete bash -- "${COMP_LINE:0:COMP_POINT}" 2> /dev/null); then
        compopt -o default
        return
    fi
    while IFS= read -r candidate; do
        [ -z "$candidate" ] || COMPREPLY+=("$candidate")
    done <<< "$candidates"
    case ${COMPREPLY[0]-} in *= | */ | *:) compopt -o nospace ;; esac
}
complete -F _fairing fairing
