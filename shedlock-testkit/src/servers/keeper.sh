# Keeps one server. Reads a verb per line; when standard input closes, whatever the reason, the server is killed and its
# directory removed. Whoever started this script holds the other end of the pipe, so not even SIGKILL leaves a server behind.
#
#   $1     the server's directory, which is this script's working directory
#   $2..   the server's command line
directory=$1
shift
server=
# When the process that started us ends while our server is stopped, the kernel sends SIGHUP to the both of us.
trap '' HUP

# All processes below $1, whichever of its threads has started them.
below() {
    for child in $(cat "/proc/$1/task/"*/children 2>/dev/null || pgrep -P "$1"); do
        echo "$child"
        below "$child"
    done
}

while read -r verb; do
    case $verb in
    start)
        "$@" </dev/null >>server.log 2>&1 &
        server=$!
        echo "$server"
        ;;
    reap)
        wait "$server"
        echo "$?"
        server=
        ;;
    esac
done

if [ -n "$server" ]; then
    # Stopped first, the server cannot replace a child that is being killed. A stopped child would never notice that
    # its parent has gone, so children are killed by name.
    kill -STOP "$server"
    children=$(below "$server")
    # shellcheck disable=SC2086 # one argument per child
    kill -KILL "$server" $children 2>/dev/null
    wait "$server"
fi 2>/dev/null
# What the server has made elsewhere, one path a line.
while read -r file; do
    rm -f "$file"
done 2>/dev/null <"$directory/leftovers"
cd /
# The last child may still be writing while it dies.
rm -rf "$directory" 2>/dev/null || { sleep 1; rm -rf "$directory"; }
