import ArgumentParser

/// Where decision files lie below `decisions/`.
enum Layout: String, CaseIterable, ExpressibleByArgument {
  case flat
  /// In a folder for each day: `YYYY/MM/DD/`.
  case dated
}
