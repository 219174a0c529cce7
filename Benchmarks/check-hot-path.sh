#!/bin/sh
# Reads the machine code of a client's loop over pin and unpin and fails where the fast path lost what makes it fast:
# everything inlined, one locked addition each way, no reference counting, no allocation, no exclusivity check.
#
#   check-hot-path.sh                      builds the client in Sources/HotPath and reads its loop; then makes sure that a
#                                          loop which is slow on purpose is refused
#   check-hot-path.sh EXECUTABLE FUNCTION  reads another loop: a part of the function's symbol is enough
set -eu
here=$(cd "$(dirname "$0")" && pwd)
failed=
complain() { echo "check-hot-path: $*" >&2; failed=1; }

# check EXECUTABLE FUNCTION: complains about the function's machine code.
check() {
  failed=
  symbol=$(nm "$1" | awk -v part="$2" '$2 ~ /[tT]/ && index($3, part) { print $3; exit }')
  if [ -z "$symbol" ]; then
    complain "no function named like '$2' in $1"
    return
  fi
  code=$(objdump -d --no-show-raw-insn --disassemble="$symbol" "$1" | grep -E '^ +[0-9a-f]+:')
  calls=$(printf '%s\n' "$code" | sed -nE 's/.*(call|jmp) +[0-9a-f]+ <([^>+]*)>.*/\2/p' | sort -u)
  for name in $calls; do
    case $name in
      # The library's ways out of the fast path, a thread's first registration, an overflow of the client's own sums.
      *pinSlowly* | *holdOther* | *backOut* | *HeldFrame*free* | *HeldFrame*putPart* | *claimOther*) ;;
      cp_register_reader | urcu_bp_register@plt | cp_register_thread_index | swift_unexpectedError* | swift_willThrow*) ;;
      *) complain "$2 calls $name" ;;
    esac
  done
  if printf '%s\n' "$code" | grep -qE 'call +\*'; then complain "$2 calls through a pointer"; fi
  case $(uname -m) in
    x86_64)
      printf '%s\n' "$code" | grep -qE 'lock (xadd|add) ' || complain "$2 has no locked addition: the pin is not inlined"
      printf '%s\n' "$code" | grep -qE 'lock (xadd|sub) ' || complain "$2 has no locked subtraction: the unpin is not inlined"
      if printf '%s\n' "$code" | grep -q 'lock cmpxchg'; then complain "$2 compares and swaps where an addition does"; fi
      ;;
    *) echo "check-hot-path: what the additions look like is known for x86_64 only" >&2 ;;
  esac
  if [ -z "$failed" ]; then
    echo "check-hot-path: $2 is clean: $(printf '%s\n' "$code" | wc -l) instructions, ways out: $(echo $calls)"
  fi
}

if [ $# -ge 2 ]; then
  check "$1" "$2"
  exit ${failed:-0}
fi

swift build -c release --package-path "$here" --product hot-path
client=$(swift build -c release --package-path "$here" --product hot-path --show-bin-path)/hot-path
check "$client" goodPinLoop
if [ -n "$failed" ]; then exit 1; fi
complaints=$(check "$client" badPinLoop 2>&1 >/dev/null)
for wanted in swift_retain swift_release swift_beginAccess; do
  if ! printf '%s\n' "$complaints" | grep -q "$wanted"; then
    echo "check-hot-path: it does not find $wanted in a loop that calls it" >&2
    exit 1
  fi
done
echo "check-hot-path: badPinLoop is refused, as it must be"
