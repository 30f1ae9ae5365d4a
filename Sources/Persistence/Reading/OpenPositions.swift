internal import Postgres
package import Records

extension AgentRecords {
  /// Trades that are open and the newest portfolio snapshot; nil where the database does not answer soon.
  package func openPositions() async -> JSONValue? {
    guard let database = await database.ifUp() else { return nil }
    return await answer(within: .seconds(1), orElse: nil) {
      guard let (connection, schema) = try? await database.connect() else { return nil }
      let rows = try? await connection.query(
        """
        SELECT jsonb_build_object(
          'open_trades', (
            SELECT COALESCE(jsonb_agg(t.trade ORDER BY t.opened_at DESC), '[]') FROM (
              SELECT opened_at, jsonb_build_object('asset', asset, 'side', side, 'size_usd', size_usd,
                'entry_price', entry_price, 'unrealized_pnl_usd', unrealized_pnl_usd, 'opened_at', opened_at) AS trade
              FROM \(schema.qualified("maven_trades")) WHERE status = 'open' ORDER BY opened_at DESC LIMIT 10) AS t),
          'portfolio', (
            SELECT to_jsonb(p) FROM (
              SELECT snapshot_at, total_value_usd, available_balance_usd, unrealized_pnl_usd, position_count
              FROM \(schema.qualified("maven_portfolio_snaps")) ORDER BY snapshot_at DESC, id DESC LIMIT 1) AS p))::text
        """)
      await connection.close()
      guard let text = try? rows?.first?.string(0) else { return nil }
      return try? JSONValue.parse(text)
    }
  }
}
