import Measuring

/// All measurements of `faults`, as JSON and as text.
typealias FaultsReport = MeasuredReport<FaultsConfig, FaultsRow>

struct FaultsRow: MeasuredRow {
  var work: String
  var subject: String
  var threads: Int
  var unit: String
  var nanoseconds: Spread

  enum CodingKeys: String, CodingKey {
    case work, subject, threads, unit
    case nanoseconds = "ns"
  }
}

struct FaultsConfig: Encodable {
  var pages: Int
  var mappings: Int
  var rounds: Int
  var engine: String
  /// What the library's threads share.
  var sharing: String
  /// How far their mappings lie apart, in MiB.
  var distance: Int
  /// Mappings that are there for look-up and map-unmap-among.
  var among: Int
  var processorTime: Bool
  var machine: Machine

  enum CodingKeys: String, CodingKey {
    case pages, mappings, rounds, engine, sharing, distance, among, machine
    case processorTime = "processor_time"
  }
}

extension FaultsReport {
  var text: String {
    TextTable(
      rows,
      [
        .text("work", \.work), .text("subject", \.subject), .number("threads") { "\($0.threads)" },
        .spread("ns", digits: 0, \.nanoseconds), .number("of a", \.unit),
        .number("over kernel") { ratio(of: $0, to: "kernel") }, .number("over memset") { ratio(of: $0, to: "memset") },
        .number("scaling", scaling),
      ]
    ).text
  }
}
