import Synchronization

// One function for each step. `check-aarch64.sh` reads its instructions.

@inline(never) @_silgen_name("reference_hold")
func holdByReference(_ space: AddressSpace, at address: VirtualAddress) -> HeldFrame? {
  ReferenceEngine.hold(at: address, .write, in: space)
}

@inline(never) @_silgen_name("reference_put")
func put(_ frame: Frame) -> Bool { frame.put(PinOptions.write.holdDelta) }

@inline(never) @_silgen_name("slot_hold")
func holdBySlot(_ space: AddressSpace, at address: VirtualAddress) -> HeldFrame? {
  SlotEngine.hold(at: address, .write, thread: ThreadNumber.current, in: space)
}

@inline(never) @_silgen_name("slot_put")
func vacate(_ slot: PinSlot) { slot.vacate() }

@inline(never) @_silgen_name("range_hold")
func holdRange(_ space: AddressSpace, from start: VirtualAddress, pages: Int) -> PinList? {
  SlotEngine.hold(from: start, pages: pages, .write, in: space)
}

@inline(never) @_silgen_name("range_claim")
func claimRange() -> PinList? { PinList.claim(isPin: true) }

@inline(never) @_silgen_name("range_append")
func append(_ frame: Frame, to list: inout PinList) {
  RCU.read { section in
    list.end.write(frame, at: 0)
    list.append(1, section)
  }
}

@inline(never) @_silgen_name("range_scan")
func scan(_ word: UInt64, _ body: (UInt64) -> Void) { PinList.forEach(in: word, body) }

@inline(never) @_silgen_name("program_load")
func load(_ space: AddressSpace, at address: VirtualAddress) -> UInt64? {
  space.access(address, .load) { $0.loadUnlessLost(fromByteOffset: address.pageOffset & ~7, as: UInt64.self) } ?? nil
}

@inline(never) @_silgen_name("program_store")
func store(_ value: UInt64, _ space: AddressSpace, at address: VirtualAddress) -> Void? {
  space.access(address, .store) { $0.store(value, toByteOffset: address.pageOffset & ~7) }
}

@inline(never) @_silgen_name("mirror_load")
func load(_ table: TranslationTable, _ page: Int, _ offset: Int) -> UInt64? {
  table.readUnheld(page, isWord: true) { $0.load(fromByteOffset: offset & 0xff8, as: UInt64.self) }
}

@inline(never) @_silgen_name("mirror_copy")
func copy(_ table: TranslationTable, _ page: Int, _ bytes: UnsafeMutableRawBufferPointer) -> Void? {
  table.readUnheld(page) { $0.copy(into: bytes) }
}

@inline(never) @_silgen_name("entry_lock")
func lock(_ ptep: PTEPointer, _ pte: PTE) -> Bool { ptep.lock(pte) }

@inline(never) @_silgen_name("entry_unlock")
func unlock(_ ptep: PTEPointer, _ pte: PTE) { ptep.unlock(storing: pte) }

/// What the check must notice.
@inline(never) @_silgen_name("with_barrier")
func vacateWithBarrier(_ slot: PinSlot) {
  slot.vacate()
  atomicMemoryFence(ordering: .sequentiallyConsistent)
}
