#if DEBUG
  import TestSupport
  import UserPages

  /// A thread that pins a page, stands still when it has read the entry, and holds the page until the test ends that.
  struct FrozenHolder {
    private let thread: StagedThread
    private let space: AddressSpace
    private let address: VirtualAddress
    // Whether the page is held, and whether the program has stored.
    private let flags = Board(2)

    /// Starts the thread, and waits until it stands still.
    init(
      _ freezer: Freezer, _ space: AddressSpace, at address: VirtualAddress, _ options: PinOptions = .write
    ) {
      self.space = space
      self.address = address
      thread = freezer.start("pin", freezeAt: .pinBetweenEntryAndReference) { [flags] in
        let pin = try space.pin(at: address, options)
        flags[0] = 1
        while flags[1] == 0 {}
        freezer.expect(pin.deviceBytes.load(as: UInt64.self) == 8, "pin and program see two pages")
        pin.release()
      }
      freezer.expect(thread.waitUntilFrozen(), "a pin did not read its entry")
    }

    func thaw() { thread.thaw() }

    func waitUntilHeld() { while flags[0] == 0 {} }

    /// Stores as the program does, which the holder must see, and ends the pin.
    func storeAndEnd() throws {
      try space.store(UInt64(8), at: address)
      flags[1] = 1
      try thread.join()
    }
  }

  extension Freezer {
    /// Starts a thread that stores 8, and waits until it stands still between entry and bytes.
    func startStoring(_ space: AddressSpace, at address: VirtualAddress) -> StagedThread {
      let store = start("store", freezeAt: .accessBetweenEntryAndBytes) { try space.store(UInt64(8), at: address) }
      expect(store.waitUntilFrozen(), "a store did not read its entry")
      return store
    }
  }
#endif
