import Foundation

/// Which sanitizer the tests were built with.
public enum Sanitizer {
  /// Whether there is one. Its shadow memory takes address space and mappings, of which some tests need nearly all.
  public static var isPresent: Bool { dlsym(nil, "__tsan_init") != nil || dlsym(nil, "__asan_init") != nil }
}
