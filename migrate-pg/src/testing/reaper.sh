# Makes and runs one server, and takes it away once the process that asked for it is gone.
#
# Standard input is a pipe whose other end only that process holds: it closes when the process lets go of the server
# and when it ends, in whatever way. Standard output is the server's log.
directory=$1
bin=$2
settings=$3
# The connection string of the server that this one is a standby of; empty for a server of its own.
primary=$4
exec 3<&0 </dev/null

# From a terminal or a supervisor these reach every process; this one has to outlast them.
# PostgreSQL sets handlers of its own.
trap '' HUP INT TERM

(
    if [ -n "$primary" ]; then
        "$bin/pg_basebackup" --pgdata="$directory/data" --dbname="$primary" --write-recovery-conf --wal-method=stream \
            --checkpoint=fast --no-sync || exit
    else
        "$bin/initdb" --pgdata="$directory/data" --username=postgres --auth=trust --encoding=UTF8 --locale=C \
            --no-sync --no-instructions || exit
    fi
    printf '%s' "$settings" >>"$directory/data/postgresql.conf" || exit
    exec "$bin/postgres" -D "$directory/data"
) 3<&- &
server=$!

# SIGQUIT is PostgreSQL's immediate shutdown; repeated, since a server that is still starting ignores it.
(
    read -r _ <&3
    while [ ! -e "$directory/ended" ] && kill -QUIT "$server"; do
        sleep 0.1
    done
) 2>/dev/null &
watch=$!

wait "$server"
echo "ended with status $?" >"$directory/ended"
wait "$watch"
rm -rf "$directory"
