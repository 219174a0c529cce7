import UserPages

/// A client of the library. check-hot-path.sh reads its machine code and does not time it.
@main
struct HotPath {
  static func main() throws {
    let machine = try PhysicalMemory(ramPages: 64)
    let space = AddressSpace(machine)
    try space.map(at: 0x10_0000, pages: 16, protection: .readWrite)
    try space.advise(at: 0x10_0000, pages: 16, .populateWrite)
    let slow = SlowClient(space)
    print(try goodPinLoop(space, at: 0x10_0000, 1000) + slow.badPinLoop(at: 0x10_0000, 1000))
  }
}

/// A loop over pin and release that must stay free of calls.
@inline(never)
func goodPinLoop(_ space: AddressSpace, at start: VirtualAddress, _ count: Int) throws(PageError) -> UInt64 {
  var sum: UInt64 = 0
  for index in 0..<count {
    let pin = try space.pin(at: start + (index & 15) * Page.size)
    sum &+= pin.pfn.rawValue
    pin.release()
  }
  return sum
}

/// What the check must refuse: the space is read anew from a class's variable for each pin, which is an exclusivity
/// check and a retain and release of an object that every thread shares, and a box is allocated for each result.
final class SlowClient {
  var space: AddressSpace
  var results: [PFN?] = []

  init(_ space: AddressSpace) {
    self.space = space
  }

  @inline(never)
  func badPinLoop(at start: VirtualAddress, _ count: Int) throws(PageError) -> UInt64 {
    for index in 0..<count {
      let pin = try space.pin(at: start + (index & 15) * Page.size)
      results.append(pin.pfn)
      pin.release()
    }
    return UInt64(results.count)
  }
}
