/// A reference to an object that outlives every use of it, without a reference count.
///
/// A copy of a strong reference writes the object's header, a line that all threads that use the object share. A fault
/// refers to its address space this way: the caller of the fault keeps the space alive.
struct Unretained<Object: AnyObject & Sendable>: Sendable {
  private let reference: Unmanaged<Object>

  @inline(__always)
  init(_ object: borrowing Object) { reference = .passUnretained(copy object) }

  /// The object that `reference` stands for, without a reference of its own.
  @inline(__always)
  init(_ reference: Unmanaged<Object>) { self.reference = reference }

  /// Lends the object to `body`.
  @inline(__always)
  func with<Result, Failure: Error>(_ body: (Object) throws(Failure) -> Result) throws(Failure) -> Result {
    // The library's function does not pass typed errors on.
    try reference._withUnsafeGuaranteedRef { object -> Swift.Result<Result, Failure> in
      do throws(Failure) { return .success(try body(object)) } catch { return .failure(error) }
    }.get()
  }
}
