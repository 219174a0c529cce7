// swift-tools-version: 6.2
import PackageDescription

// The runtime of the memory-model checker, for `mm_explore` in other packages. `check` builds it by itself.
//
// A package of its own: what links it has to be compiled with `-sanitize=thread` and linked without.
let package = Package(
  name: "memory-model",
  products: [.library(name: "MemoryModel", targets: ["MemoryModel"])],
  targets: [.target(name: "MemoryModel")],
  cxxLanguageStandard: .cxx20
)
