#!/bin/sh
# Measures everything at 1 to 64 threads and leaves JSON, text and a picture in a directory. Runs unchanged on a machine with
# more processors than two; there, more threads than processors only show that nothing collapses.
#
#   sweep.sh DIRECTORY [THREADS]        THREADS: 1,2,4,8,16,32,64 unless given
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:?usage: sweep.sh DIRECTORY [THREADS]}
threads=${2:-1,2,4,8,16,32,64}
mkdir -p "$out"
swift build -c release --package-path "$here"
bin=$(swift build -c release --package-path "$here" --show-bin-path)

# keep FILE COMMAND...: leaves the command's output in FILE and shows it; ends where the command fails, which a pipe into
# tee would hide.
keep() {
  file=$1
  shift
  status=0
  "$@" >"$file" || status=$?
  cat "$file"
  if [ "$status" -ne 0 ]; then
    echo "sweep: failed with status $status: $*" >&2
    exit "$status"
  fi
}

keep "$out/pins.txt" "$bin/pins" --peers --threads "$threads" --json "$out/pins.json" --svg "$out/pins.svg"
keep "$out/pool.txt" "$bin/pool" --directory "$out" --threads "$threads" --json "$out/pool.json" --svg "$out/pool.svg"
keep "$out/sqlite.txt" "$bin/sqlite" --directory "$out" --json "$out/sqlite.json" --svg "$out/sqlite.svg"
keep "$out/faults.txt" "$bin/faults" --threads "$threads" --json "$out/faults.json" --svg "$out/faults.svg"
for io in memory direct; do
  for count in $(echo "$threads" | tr , ' '); do
    keep "$out/oltp-$io-$count.txt" \
      "$bin/oltp" --file "$out/oltp.tpcb" --io $io --threads "$count" --json "$out/oltp-$io-$count.json"
  done
done
rm -f "$out/oltp.tpcb" "$out/oltp.tpcb-log"
