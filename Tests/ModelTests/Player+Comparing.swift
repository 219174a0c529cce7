import UserPages

extension Player {
  /// Compares every byte of the watched pages of every space and of the file, and every pin.
  func compareEverything() -> String? {
    for page in world.watched {
      if let wrong = compareSpaces(page, from: 0, count: Page.size) { return wrong }
    }
    for (index, pin) in pins.enumerated() {
      if let wrong = pin?.differs() { return "pin \(index): \(wrong)" }
    }
    for page in world.watched where page < world.objectPages {
      let wrong = compare(
        { () throws(PageError) in try self.file.read(at: page * Page.size, count: Page.size) },
        { () throws(PageError) in self.modelFile[page].bytes })
      if let wrong { return "file page \(page): \(wrong)" }
    }
    return nil
  }

  /// Compares one page in all spaces.
  private func compareSpaces(_ page: Int, from offset: Int, count: Int) -> String? {
    let address = (world.firstPage + page) * Page.size + offset
    for (index, model) in models.enumerated() {
      if spaces[index]?.entry(at: world.address(page)).kind == .huge { hasSeenHuge = true }
      let wrong = compare(
        { () throws(PageError) in
          try self.spaces[index]?.load(at: VirtualAddress(UInt64(address)), count: count) ?? []
        }, { () throws(PageError) in try model.load(address, count) })
      if let wrong { return "space \(index) page \(page): \(wrong)" }
    }
    return nil
  }

  /// Compares the beginning of every page of the window, also between the watched ones.
  func compareBeginnings() -> String? {
    for page in 0..<world.pages {
      if let wrong = compareSpaces(page, from: 0, count: 8) { return wrong }
    }
    return nil
  }

  /// The bytes of the file in the model.
  func modelFileBytes(_ offset: Int, _ count: Int) -> [UInt8] {
    (offset..<min(offset + count, modelFile.count * Page.size)).map { modelFile[$0 / Page.size].bytes[$0 % Page.size] }
  }
}
