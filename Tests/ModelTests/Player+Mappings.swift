import UserPages

/// Operations on mappings, played by the library and by the model.
extension Player {
  func pages(_ page: Int, _ count: Int) -> Range<Int> {
    world.firstPage + page..<world.firstPage + page + count
  }

  func map(
    _ space: Int, _ page: Int, _ count: Int, _ protection: Protection, _ sharing: Sharing, _ kind: ModelKind,
    _ offset: Int, _ huge: Bool
  ) -> String? {
    mappings += 1
    let real: MappingKind =
      switch kind {
      case .anonymous: .anonymous
      case .file: .file(file)
      case .mixed: .mixed(image)
      case .pfnImage: .pfn(image)
      case .pfnDevice: .pfn(device, isIO: true)
      }
    let start = kind == .anonymous ? 0 : offset
    return both(
      { () throws(PageError) in
        try self.spaces[space]?.map(
          at: world.address(page), pages: count, protection: protection, sharing: sharing, backing: real, offset: start,
          hugePages: huge)
      },
      { () throws(PageError) in
        for index in 0..<count {
          self.models[space].pages[world.firstPage + page + index] = ModelPage(
            mapping: self.mappings, kind: kind, sharing: sharing, protection: protection, offset: start + index,
            source: self.source(kind, sharing, start + index))
        }
      })
  }

  private func source(_ kind: ModelKind, _ sharing: Sharing, _ offset: Int) -> ModelFrame? {
    switch kind {
    case .anonymous: sharing == .shared ? ModelFrame() : nil
    case .file: offset < modelFile.count ? modelFile[offset] : nil
    case .mixed, .pfnImage: modelImage[offset]
    case .pfnDevice: modelDevice[offset]
    }
  }

  /// If the library does not refuse a page-out, a program sees no effect.
  func pageOut(_ space: Int, _ page: Int, _ count: Int) -> String? {
    advise(space, page, count, .pageOut) { () throws(PageError) in
      let range = self.pages(page, count).map { self.models[space].pages[$0] }
      if range.contains(where: { $0?.kind.isPFN == true }) { throw .invalidArgument }
      if range.contains(where: { $0 == nil }) { throw .outOfMemory }
    }
  }

  func advise(
    _ space: Int, _ page: Int, _ count: Int, _ advice: Advice, _ model: () throws(PageError) -> Void
  ) -> String? {
    both(
      { () throws(PageError) in try self.spaces[space]?.advise(at: world.address(page), pages: count, advice) }, model)
  }

  /// The model does not decide whether a collapse succeeds. A program sees no effect in either case.
  func collapse(_ space: Int, _ page: Int, _ count: Int) -> String? {
    do {
      try spaces[space]?.advise(at: world.address(page), pages: count, .collapse)
    } catch {
      let expected: [PageError] = [.invalidArgument, .tryAgain, .outOfMemory]
      if !expected.contains(error) { return "failed with \(error)" }
    }
    return nil
  }

  /// Plays only a populate that must succeed. Unit tests cover the errors.
  func populate(_ space: Int, _ page: Int, _ count: Int, write: Bool) -> String? {
    let range = pages(page, count)
    let possible = range.allSatisfy { number in
      guard let page = models[space].pages[number], page.visible != nil, !page.kind.isPFN else { return false }
      return page.protection.contains(write ? .write : .read)
    }
    guard possible else { return nil }
    return advise(space, page, count, write ? .populateWrite : .populateRead) { () throws(PageError) in
      if write { range.forEach { _ = self.models[space].pages[$0]?.writable() } }
    }
  }

  /// Plays only moves inside one mapping with one protection. Only private anonymous memory grows, and only with a
  /// move.
  func remap(_ space: Int, _ page: Int, _ count: Int, to target: Int, _ newCount: Int) -> String? {
    let range = pages(page, count)
    guard let first = models[space].pages[range.lowerBound] else { return nil }
    let uniform = range.enumerated().allSatisfy { index, number in
      guard let page = models[space].pages[number] else { return false }
      return page.mapping == first.mapping && page.protection == first.protection
        && page.inheritable == first.inheritable && page.offset == first.offset + index
    }
    let grows = newCount > count
    guard uniform, !grows || (first.kind == .anonymous && first.sharing == .private && target != page) else {
      return nil
    }
    return both(
      { () throws(PageError) in
        try self.spaces[space]?.remap(
          at: world.address(page), pages: count, to: world.address(target), newPages: newCount)
      },
      { () throws(PageError) in
        try self.models[space].remap(range, to: world.firstPage + target, newCount: newCount)
      })
  }
}
