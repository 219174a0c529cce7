import CPlatform

/// Descriptors of the files that the library opens.
package enum Descriptor {
  /// The same open file behind a number above those of the standard streams.
  ///
  /// The result is negative, with an errno, if `descriptor` is negative or if no other number is free. `descriptor`
  /// itself is closed if it was one of theirs.
  ///
  /// A program may have closed a standard stream, and the kernel gives the lowest number that is free. What the program
  /// prints must not go to its memory, its database or its swap file.
  package static func aboveStandardStreams(_ descriptor: Int32) -> Int32 { cp_above_standard(descriptor) }
}
