# Sourced: `passing_signals COMMAND ARGUMENTS` runs a command that a signal to this script reaches as well, so that it can
# save what it has. A shell that waits for a command in the foreground would end by itself, and leave it running.
passing_signals() {
    local child status=0 got=0
    "$@" &
    child=$!
    # What runs in the background of a script does not hear of Ctrl-C: it gets SIGTERM in its place.
    trap 'got=130; kill -s TERM "$child" 2>/dev/null || true' INT
    trap 'got=143; kill -s TERM "$child" 2>/dev/null || true' TERM
    trap 'got=129; kill -s HUP "$child" 2>/dev/null || true' HUP
    trap 'got=138; kill -s USR1 "$child" 2>/dev/null || true' USR1 # which batch systems send before the time limit
    trap 'got=140; kill -s USR2 "$child" 2>/dev/null || true' USR2
    while :; do
        wait "$child" && status=0 || status=$?
        kill -0 "$child" 2>/dev/null || break # otherwise a signal ended the waiting, not the command
    done
    trap - INT TERM HUP USR1 USR2
    if [ "$got" != 0 ]; then return "$got"; fi
    return "$status"
}
