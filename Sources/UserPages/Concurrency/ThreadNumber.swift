import CPlatform

/// A small number that no other living thread has. Per-thread state in plain arrays is found by it.
///
/// ORDERING [thread-number]: a thread that ends hands its number to one that begins, under a mutex. The mutex orders
/// the first thread's last access to the number's state before the second thread's first. So such state needs no
/// atomics.
@usableFromInline
enum ThreadNumber {
  /// The calling thread's number, from 0. One load of the thread's own memory.
  @inlinable @inline(__always)
  static var current: Int32 { cp_thread_index() }

  /// The calling thread's number, or -1 for a thread that has none yet. It calls nothing.
  @inlinable @inline(__always)
  static var known: Int32 { cp_known_thread_index() }
}
