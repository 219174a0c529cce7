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

"$bin/pins" --peers --threads "$threads" --json "$out/pins.json" --svg "$out/pins.svg" | tee "$out/pins.txt"
"$bin/faults" --threads "$threads" --json "$out/faults.json" | tee "$out/faults.txt"
for io in memory direct; do
  for count in $(echo "$threads" | tr , ' '); do
    "$bin/oltp" --file "$out/oltp.tpcb" --io $io --threads "$count" --json "$out/oltp-$io-$count.json" |
      tee "$out/oltp-$io-$count.txt"
  done
done
