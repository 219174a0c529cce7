import CPlatform
import MemoryModel

/// A pin of one thread's slot that another thread gives back.
private final class HandedPin: @unchecked Sendable {
  private var page: PinnedPage?
  private var range: PinnedPages?

  init(_ space: AddressSpace, _ way: PinWay, at address: VirtualAddress) {
    if way == .range {
      range = try! space.pin(at: address, pages: 1, [.write, .fastOnly])
    } else {
      page = try! space.pin(at: address, [.write, .fastOnly])
    }
  }

  /// Stores, and releases the pin. Once.
  func storeAndRelease(_ value: UInt64) {
    if let page = page.take() {
      page.store(value)
      page.release()
    }
    if let range = range.take() {
      storeWord(value, in: range, at: 0)
      range.release()
    }
  }
}

/// A thread gives back another thread's pin, and the slot's owner claims it for another page. A scan that finds that
/// page alone comes after the first holder's stores: the frame is used again.
///
/// - Parameter isOther: whether the owner's first slot is taken all the time, so that it claims another one.
func handedPinAgainstReuse(_ engine: PinEngine, _ way: PinWay = .first, isOther: Bool = false) {
  let setting = Setting(engine: engine, way, pages: 2)
  let second = Setting.address + Page.size
  try! setting.space.store(Setting.content, at: second)
  let lasting = isOther ? HandedPin(setting.space, way, at: second) : nil
  let handed = HandedPin(setting.space, way, at: Setting.address)
  var last: HandedPin?
  inParallel(
    { handed.storeAndRelease(Setting.other) },
    {
      try! setting.space.unmap(at: Setting.address, pages: 1)
      setting.memory.flushDeferredFrees()
      setting.storeToFreeFrame()
    },
    meanwhile: { last = HandedPin(setting.space, way, at: second) })
  last?.storeAndRelease(Setting.content)
  lasting?.storeAndRelease(Setting.content)
  setting.end()
}

/// A list of frames goes on in its second chunk while a scan reads it: each word that counts is a frame's.
func longListAgainstScan() {
  let setting = Setting(engine: .slot)
  let pfn = try! setting.memory.allocateFrame(.mayReclaim)
  let frame = setting.memory.frames.frame(pfn)
  var list = PinList.claim(isPin: true)!
  let count = list.makeRoom()
  for offset in 0..<count { list.end.write(frame, at: offset) }
  RCU.read { section in list.append(count, section) }
  let word = PinSlot.block(of: ThreadNumber.current)[Int(cp_slots_per_thread) - 1].load(ordering: .relaxed)
  inParallel(
    {
      PinList.forEach(in: word) {
        check($0 == frame.slotWord | PinSlot.pinBit, "a scan read a frame that is not written")
      }
    },
    meanwhile: {
      check(list.makeRoom() > 0, "a list has no second chunk")
      list.end.write(frame, at: 0)
      RCU.read { section in list.append(1, section) }
    })
  list.vacate()
  setting.memory.discardFrame(pfn)
  setting.end()
}

/// A thread without a number pins, while the page is unmapped and its frame used again: the scan looks at the slots of
/// the new number.
func firstPinOfThreadAgainstReuse(_ engine: PinEngine) {
  _ = mm_register_thread()
  let setting = Setting(engine: engine, .again)
  inParallel(
    {
      _ = mm_register_thread()
      guard let pin = try? setting.space.pin(at: Setting.address, [.write, .fastOnly]) else { return }
      pin.store(Setting.other)
      pin.release()
    },
    {
      try! setting.space.unmap(at: Setting.address, pages: 1)
      setting.useFramesAgain()
    })
  setting.end()
}
