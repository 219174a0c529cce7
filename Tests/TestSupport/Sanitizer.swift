import Foundation

/// Which sanitizer the tests were built with.
public enum Sanitizer {
  /// Whether there is one. Its shadow memory takes address space and mappings, of which some tests need nearly all.
  public static var isPresent: Bool { isThread || dlsym(nil, "__asan_init") != nil }

  /// Whether it is ThreadSanitizer.
  public static var isThread: Bool { dlsym(nil, "__tsan_init") != nil }
}
