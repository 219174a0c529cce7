/// First touches of anonymous memory (`do_anonymous_page`).
extension Fault {
  mutating func handleAnonymousFault(_ site: FaultSite) -> Outcome {
    guard access.isWrite else {
      // The zero page. The entry is special: all spaces map this one frame, and none counts references on it.
      return site.install(site.finish(PTE(mapping: zeroPage).asSpecial, writable: false))
    }
    if site.lacksAnonVMA { return .needsAnonVMA }
    guard hasZeroedFrame || getCachedFrame() else { return .needsFrame(zeroed: true) }
    return installFrame(at: site)
  }

  /// Installs the fault's frame as the mapping's own. The caller has filled it.
  ///
  /// ORDERING [lock-then-begin]: the frame gets its first reference when the entry is locked and nothing can stop the
  /// fault from installing. Before that, a thread that names the frame by number finds no reference to add to
  /// (`retainShared`). So a fault that loses its race may discard the frame. With the reference earlier:
  ///
  ///     1. this fault begins the frame                      2. a mixed mapping's fault names, retains and maps the frame
  ///     3. this fault loses its entry, discards the frame   4. the allocator gives the frame out, still mapped there
  ///
  /// - Parameter validity: of the backing's answer that the contents come from, if any.
  mutating func installFrame(
    at site: FaultSite, writable: Bool = true, validating validity: AnswerValidity? = nil
  ) -> Outcome {
    guard let pfn = frame?.pfn else { return .needsFrame(zeroed: false) }
    var pte = PTE(mapping: pfn).with(PTELayout.anonymous)
    if writable {
      pte.set(PTELayout.dirty)
      engine.markOwn(&pte)
    }
    if let refusal = site.lock(validating: validity) { return refusal }
    revokeTranslations(of: site)
    frames.frame(pfn).begin(anonymous: true, mapped: true)
    YieldPoint.faultBetweenBeginAndStore.reach()
    site.ptep.unlock(storing: site.finish(pte, writable: writable))
    frame = nil
    return .done
  }
}
