internal import Persistence
internal import Records

/// A chart of one or two columns of a dataset, with its data as a table below.
///
/// The drawing stretches to any width, and its labels are text of the page, so they stay readable at all.
struct Chart {
  enum Shape {
    /// A line over time; an area where `isFilled` says so.
    case line(isFilled: Bool)
    /// A column for each row, the stacked ones of several series on each other being their sum.
    case columns
    /// A dot for each row.
    case dots
  }

  /// Unique in the page.
  let id: String
  let title: String
  /// What there is to see, in a sentence.
  let summary: String
  let shape: Shape
  /// The oldest first.
  let dataset: Dataset
  let x: String
  let y: String
  var unit = ""
  /// Whether zero is on the axis whatever the values.
  var beginsAtZero = false

  private static let width = 1_000.0
  private static let height = 300.0

  var html: HTML {
    let points = self.points
    return h("figure", ["class": "panel"]) {
      h("figcaption") {
        h("h2", ["id": "\(id)-title"]) { title }
        h("p", ["id": "\(id)-text"]) { summary }
      }
      if points.count > 1 || (points.count == 1 && !isLine) {
        plot(points)
      } else {
        h("p", ["class": "empty"]) { "Not enough data to draw yet." }
      }
      if !dataset.isEmpty {
        h("details") {
          h("summary") { "Data: \(dataset.rows.count) row\(dataset.rows.count == 1 ? "" : "s")" }
          DatasetTable(dataset: dataset, label: "\(title): data").html
        }
      }
    }
  }

  private var isLine: Bool {
    if case .line = shape { true } else { false }
  }

  private struct Point {
    let x: Double
    let y: Double
  }

  private var points: [Point] {
    zip(dataset[x], dataset[y]).compactMap { x, y in
      guard let x = x.value, let y = y.value, x.isFinite, y.isFinite else { return nil }
      return Point(x: x, y: y)
    }
  }

  private func plot(_ points: [Point]) -> HTML {
    let xs = points.map(\.x)
    let (firstX, lastX) = (xs.min() ?? 0, xs.max() ?? 1)
    let axis = Axis(points.map(\.y), includesZero: beginsAtZero)
    func left(_ value: Double) -> Double {
      lastX > firstX ? (value - firstX) / (lastX - firstX) * Chart.width : Chart.width / 2
    }
    func top(_ value: Double) -> Double { (axis.high - value) / (axis.high - axis.low) * Chart.height }
    return h("div", ["class": "plot"]) {
      h("div", ["class": "ys", "aria-hidden": "true"]) {
        for tick in axis.ticks.reversed() { h("span") { "\(axis.label(tick))\(unit)" } }
      }
      h(
        "svg",
        [
          "role": "img", "aria-labelledby": "\(id)-title \(id)-text", "preserveAspectRatio": "none",
          "viewBox": "0 0 \(Int(Chart.width)) \(Int(Chart.height))",
        ]
      ) {
        for tick in axis.ticks { rule(at: top(tick), isZero: tick == 0 && axis.low < 0) }
        switch shape {
        case .line(let isFilled):
          if isFilled { area(points, left: left, top: top) }
          h("path", ["class": "curve", "d": Chart.path(points.map { (left($0.x), top($0.y)) })])
        case .columns: columns(points, base: top(max(0, axis.low)), top: top)
        case .dots:
          for point in points {
            h(
              "path",
              [
                "class": point.y < 0 ? "mark cost" : "mark gain",
                "d": "M\(Chart.coordinate(left(point.x))) \(Chart.coordinate(top(point.y)))h0.01",
              ])
          }
        }
      }
      h("div", ["class": "xs", "aria-hidden": "true"]) {
        h("span") { label(dataset[x], firstX) }
        h("span") { label(dataset[x], lastX) }
      }
    }
  }

  private func rule(at top: Double, isZero: Bool) -> HTML {
    let y = Chart.coordinate(top)
    return h("path", ["class": isZero ? "zero" : "rule", "d": "M0 \(y)H\(Int(Chart.width))"])
  }

  private func area(_ points: [Point], left: (Double) -> Double, top: (Double) -> Double) -> HTML {
    guard let first = points.first, let last = points.last else { return .empty }
    let line = Chart.path(points.map { (left($0.x), top($0.y)) })
    let floor = Chart.coordinate(Chart.height)
    return h(
      "path",
      [
        "class": "area",
        "d": "\(line)L\(Chart.coordinate(left(last.x))) \(floor)L\(Chart.coordinate(left(first.x))) \(floor)Z",
      ])
  }

  /// Columns stand side by side in the order of the rows: times without records have none.
  private func columns(_ points: [Point], base: Double, top: (Double) -> Double) -> HTML {
    let step = Chart.width / Double(points.count)
    let breadth = points.count > 120 ? step : min(step * 0.8, 60)
    return HTML.Builder.buildArray(
      points.enumerated().map { index, point in
        let y = top(point.y)
        return h(
          "rect",
          [
            "class": "column", "x": Chart.coordinate(Double(index) * step + (step - breadth) / 2),
            "y": Chart.coordinate(min(y, base)), "width": Chart.coordinate(breadth),
            "height": Chart.coordinate(abs(base - y)),
          ])
      })
  }

  private func label(_ cells: [Dataset.Cell], _ value: Double) -> String {
    for cell in cells where cell.value == value {
      if case .time(let time) = cell {
        // Within a day the times tell the ends apart.
        return Set(cells.map { $0.shown(as: .day) }).count == 1 ? time.secondText : time.dayText
      }
      return cell.shown(as: dataset.columns.first { $0.key == x }?.kind ?? .text)
    }
    return ""
  }

  private static func path(_ points: [(x: Double, y: Double)]) -> String {
    points.enumerated().map { index, point in
      "\(index == 0 ? "M" : "L")\(coordinate(point.x)) \(coordinate(point.y))"
    }.joined()
  }

  /// With one decimal, which is finer than any screen.
  private static func coordinate(_ value: Double) -> String {
    let tenths = (value * 10).rounded()
    guard tenths.isFinite, abs(tenths) < 1e9 else { return "0" }
    let whole = Int(tenths)
    return "\(whole < 0 ? "-" : "")\(abs(whole) / 10)\(whole % 10 == 0 ? "" : ".\(abs(whole) % 10)")"
  }
}

/// A vertical axis with round ends.
struct Axis {
  let low: Double
  let high: Double
  let ticks: [Double]

  init(_ values: [Double], includesZero: Bool) {
    var low = values.min() ?? 0
    var high = values.max() ?? 1
    if includesZero { (low, high) = (min(low, 0), max(high, 0)) }
    if high <= low { (low, high) = (low - max(1, abs(low) * 0.1), high + max(1, abs(high) * 0.1)) }
    if includesZero, values.allSatisfy({ $0 >= 0 }) { low = 0 }
    let step = Axis.step((high - low) / 4)
    let first = (low / step).rounded(.down)
    let last = (high / step).rounded(.up)
    self.low = first * step
    self.high = last * step
    let count = min(8, max(1, Int(exactly: last - first) ?? 1))
    ticks = (0...count).map { (first + Double($0) * (last - first) / Double(count)) * step }
  }

  /// The next of 1, 2 and 5 times a power of ten.
  private static func step(_ rough: Double) -> Double {
    var power = 1.0
    while power * 10 <= rough { power *= 10 }
    while power > rough { power /= 10 }
    return [1, 2, 5].map { $0 * power }.first { $0 >= rough } ?? power * 10
  }

  /// Short: `1.5k`, `−20`, `3M`.
  func label(_ value: Double) -> String {
    if value == 0 { return "0" }
    for (size, letter) in [(1e9, "G"), (1e6, "M"), (1e3, "k")] where abs(high - low) >= size || abs(value) >= size * 10
    {
      return Axis.decimal(value / size, step: (ticks.dropFirst().first ?? high) - low, size: size) + letter
    }
    return Axis.decimal(value, step: (ticks.dropFirst().first ?? high) - low, size: 1)
  }

  private static func decimal(_ value: Double, step: Double, size: Double) -> String {
    var digits = 0
    var scale = 1.0
    while digits < 4, ((step / size * scale).rounded() - step / size * scale).magnitude > 1e-6 {
      digits += 1
      scale *= 10
    }
    let number = (value * scale).rounded()
    guard number.isFinite, abs(number) < 1e15 else { return "" }
    let whole = Int(number)
    let unit = Int(scale)
    let fraction = digits == 0 ? "" : ".\(String(abs(whole) % unit + unit).dropFirst())"
    return "\(whole < 0 ? "−" : "")\(abs(whole) / unit)\(fraction)"
  }
}
