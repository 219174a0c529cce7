extension Range where Bound == Int {
  /// The first index for which `isBehind` holds, or `upperBound` if it holds for none. O(log n).
  ///
  /// - Parameter isBehind: false up to some index of the range, true from there on: it is not asked for every index.
  @inline(__always)
  package func partitioningIndex<Failure: Error>(where isBehind: (Int) throws(Failure) -> Bool) throws(Failure) -> Int {
    var low = lowerBound
    var high = upperBound
    while low < high {
      let middle = low + (high - low) / 2
      if try isBehind(middle) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
