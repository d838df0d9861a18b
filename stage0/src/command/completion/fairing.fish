# Completion of fairing for fish. The program itself knows what may come next.
function __fairing_complete
    set -l words (commandline -opc)
    set -l candidates ($words[1] complete fish -- $words[2..] (commandline -ct) 2> /dev/null)
    if test $status -ne 0
        __fish_complete_path (commandline -ct)
        return
    end
    string join \n -- $candidates
end
complete -c fairing -f -a '(__fairing_complete)'
