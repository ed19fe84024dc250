# Drops the databases that a test process made on a server which was running already, once the process is gone.
#
# Standard input is a pipe whose other end only that process holds: it closes when the process ends, in whatever way. How to connect is in the environment, as libpq reads it: arguments show in the list of processes.
mark=$1

# From a terminal or a supervisor these reach every process; this one has to outlast them.
trap '' HUP INT TERM
read -r _

# Without it, the next test process drops them.
command -v psql >/dev/null || exit 0

# A database that was being made when the process ended is there only when its session has ended. For a minute at most.
seconds=0
while [ "$seconds" -lt 60 ] && [ "$(psql -XAtqc "SELECT count(*) FROM pg_stat_activity WHERE application_name = '$mark'")" != 0 ]; do
    sleep 1
    seconds=$((seconds + 1))
done
psql -Xq <<SQL
SELECT format('DROP DATABASE IF EXISTS %I WITH (FORCE)', datname) FROM pg_database WHERE starts_with(datname, '${mark}_') \gexec
SQL
