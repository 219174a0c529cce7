/// What `gup density` measured.
struct DensityResult: Encodable {
  /// The memory of a number of guests, in bytes, beside the image and the guests' own memory.
  struct Point: Encodable {
    let guests: Int
    /// Nodes of the page tables, in which special entries show the image.
    let special: Int
    /// The rest of the machines and spaces, which does not depend on the image.
    let machine: Int
    /// In addition, this library's descriptors for the image.
    var descriptors = 0
    /// In their place, descriptors of 64 bytes.
    var linuxDescriptors = 0

    /// Without any descriptor for the image.
    var withoutDescriptors: Int { special + machine }
  }

  /// How many guests fit in some memory.
  struct Fit: Encodable {
    let memory: Int
    /// Memory that each guest has for itself alone.
    let guestMemory: Int
    let special: Int
    let descriptors: Int
    let linuxDescriptors: Int
  }

  let tree: String?
  let imageBytes: Int
  let imagePages: Int
  let tableNodesPerGuest: Int
  /// Bytes of one descriptor of this library, as measured.
  let descriptorBytes: Double
  let points: [Point]
  let fit: Fit

  /// Where Linux's descriptors begin to outweigh the image, by the guests that were measured.
  var outweighedAt: Int? { points.first { $0.linuxDescriptors > imageBytes }?.guests }
}
