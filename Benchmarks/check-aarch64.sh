#!/usr/bin/env bash
# Compiles the hot path's sources for AArch64, where the tests do not run, and fails unless the ordering instructions of each step are
# exactly those that the orders need which Tests/MemoryModel proves: none missing, and no barrier more.
#
#   check-aarch64.sh            compares
#   check-aarch64.sh --list     prints what there is, a line for each step
#
# Embedded Swift for the bare machine: the compiler has no AArch64 library of another kind here. The library's files are compiled as they
# are. AArch64/Surroundings.swift has what they name and do not run. liburcu's sections are calls, which have no barrier on Linux
# (`membarrier`). Seconds, twice: for Armv8.0, with pairs of exclusive accesses for updates, and for Armv8.3, which has LSE and RCpc.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
library=$here/../Sources/UserPages
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The hot path, and what it is made of.
sources=(
  Pinning/{AddressSpace+Hold,PinOptions}.swift Pinning/Engines/{ReferenceEngine,SlotEngine,SlotEngine+Range}.swift
  AddressSpaces/{LoadStore,PinEngine,ProgramAccess,WithPage}.swift
  PageTables/{Leaf,PageTable,PageTable+Unlinking,PTE,PTEBit,PTELayout,PTELayout+X8664,PTEPointer,PTETest}.swift
  PageTables/{SpecialBit,TableNode,Translations,VirtualAddress}.swift
  Frames/{Frame,FrameBytes,FrameTable,LittleEndianBytes,Page}.swift
  Frames/Pins/{HeldFrame,PageBytes,PinList,PinnedPage,PinSlot,PinSlotSnapshot}.swift
  Concurrency/{BusyWait,Range+Partition,RCU,ShardedCounters,ThreadNumber,YieldPoint}.swift
)

# Step, its instructions on Armv8.0, those on Armv8.3; why these. An instruction that orders nothing is not listed.
#
# ldar       a load that acquires, and comes after every stlr and ldaddal before it: sequentially consistent
# ldapr      a load that acquires only (RCpc); Armv8.0 has ldar for both
# stlr       a store that releases
# ldaddal, casal, or ldaxr and stlxr   an update that does both
# dmb ishld  later accesses come after earlier loads
steps="
reference_hold  | ldar ldar ldar ldar ldaxr stlxr ldar | ldapr ldapr ldapr ldapr ldaddal ldar | the descent; the addition, then the second look
reference_put   | ldaxr stlxr                          | ldaddal                          | the last put frees
slot_hold       | ldar ldar ldar ldar ldar stlr        | ldapr ldapr ldapr ldapr ldapr stlr | the descent; the slot is free, and is taken
slot_put        | stlr                                 | stlr                             | the accesses come before the slot is free
range_hold      | ldar stlr ldar ldar ldar ldar stlr stlr | ldapr stlr ldar ldar ldar ldapr stlr stlr | a chunk and its link; the links, as operations load them; an entry, then its frame by a plain store; the length; the slot, if nothing was held
range_claim     | ldar*15 stlr stlr dmb_ish            | ldapr*15 stlr stlr dmb_ish       | the slot is free; the length; the slot's word, then all frames that follow
range_append    | stlr                                 | stlr                             | the frame, by a plain store, comes before the length
range_scan      | ldar ldar dmb_ishld                  | ldapr ldapr dmb_ishld            | the length, before the frames; the next chunk; the frames, before what the scan does next
program_load    | ldar ldar ldar ldar ldar             | ldapr ldapr ldapr ldapr ldapr    | the descent; the word, before the look whether the page is lost
program_store   | ldar ldar ldar ldar stlr             | ldapr ldapr ldapr ldapr stlr     | the descent; the word
mirror_load     | ldar ldar ldar                       | ldapr ldapr ldapr                | the sequence, the translation, the word; then the sequence
mirror_copy     | ldar ldar dmb_ishld                  | ldapr ldapr dmb_ishld            | the sequence, the translation, the bytes; then the sequence
entry_lock      | ldaxr stlxr                          | casal                            | the change, then the look
entry_unlock    | stlr                                 | stlr                             | all of the fault comes before
with_barrier    | stlr dmb_ish                         | stlr dmb_ish                     | not the library's: that a barrier is found
"

# compile ARCHITECTURE: writes the assembly. The root package builds the same files without warnings; Embedded Swift has some of its own.
compile() {
  swiftc -target aarch64-none-none-elf -enable-experimental-feature Embedded -enable-experimental-feature Lifetimes -swift-version 6 \
    -O -wmo -parse-as-library -module-name UserPages -package-name user_pages -suppress-warnings \
    -Xcc "-march=$1" -I "$here/AArch64/include" -Xcc "-I$here/../Sources/CPlatform/include" \
    -S "$here"/AArch64/*.swift "${sources[@]/#/$library/}" -o "$work/$1.s"
}

# instructions ARCHITECTURE STEP: the ordering instructions of its function, in the order of the text. If it only calls another, those of
# that one.
instructions() {
  awk -v step="$2" '
    /^[$_a-zA-Z][^ ]*:/ { inside = $1; sub(/:$/, "", inside); next }
    /^\.Lfunc_end/ { inside = "" }
    inside == "" { next }
    $1 ~ /^(dmb|dsb|isb)$/ { found[inside] = found[inside] " " $1 ($2 == "" ? "" : "_" $2); next }
    $1 ~ /^(lda|stl|ldx|stx|cas|swp|ldadd|ldclr|ldset|ldeor|ldsmax|ldsmin|ldumax|ldumin|__aarch64_|sync)/ { found[inside] = found[inside] " " $1 }
    $1 == "bl" && $2 ~ /^(__aarch64_|__atomic_|__sync_)/ { found[inside] = found[inside] " " $2 }
    $1 ~ /^bl?$/ && $2 ~ /^\$/ && !(inside in callee) { callee[inside] = $2 }
    END {
      if (found[step] == "") step = callee[step]
      print substr(found[step], 2)
    }' "$work/$1.s" | awk '
    # An unrolled loop: ldar*15.
    {
      for (i = 1; i <= NF; i = j) {
        for (j = i; j <= NF && $j == $i; j++);
        if (j - i > 8) line = line " " $i "*" (j - i)
        else for (k = i; k < j; k++) line = line " " $k
      }
      print substr(line, 2)
    }'
}

compile armv8-a
compile armv8.3-a
failed=0
while IFS='|' read -r step old new why; do
  [ -n "$step" ] || continue
  step=$(tr -d ' ' <<<"$step")
  for architecture in armv8-a armv8.3-a; do
    [ $architecture = armv8-a ] && expected=$(xargs <<<"$old") || expected=$(xargs <<<"$new")
    found=$(instructions $architecture "$step")
    [ "${1-}" = --list ] && printf '%-15s %-10s %s\n' "$step" "$architecture" "$found"
    [ "$found" = "$expected" ] && continue
    echo "check-aarch64: $step on $architecture has '$found', and should have '$expected':$why" >&2
    failed=1
  done
done <<<"$steps"
[ $failed -eq 0 ] && echo "check-aarch64: $(grep -c '|' <<<"$steps") steps have the instructions that their orders need"
exit $failed
