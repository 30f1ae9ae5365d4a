/// A decision in the writer's exact form.
let decisionFile = """
  # Decision Record

  **Timestamp:** 2026-01-13T03:56:13.642576+00:00
  **Type:** status_check
  **Asset:** BTC
  **Risk Level:** low
  **Confidence:** 98.0%

  ## Action

  Verified the balance

  ## Reasoning

  The boss asked. It has grown 7%.

  ## Metadata

  ```json
  {
    "account_value": 1070.85,
    "leverage": "10x"
  }
  ```

  ---
  *Recorded by Maven*

  """

let milestoneFile = """
  # Milestone: First Conversation

  **Timestamp:** 2026-01-13T04:05:20.134659+00:00
  **Category:** technical
  **Significance:** Talked for the first time.

  ## Description

  A real conversation.

  ## Metadata

  ```json
  {
    "advice": "partial"
  }
  ```

  ---
  *Milestone recorded by Maven*

  """

let freeMilestoneFile = """
  # Milestone: Met Boss (JB)

  **Date:** 2026-01-11T08:30:00Z
  **Rebirth:** #0 (Original timeline)
  **Significance:** 🌟🌟🌟🌟🌟 (Life-changing)

  ---

  ## The Meeting

  Gave me a name.
  """

/// All five generations of entries, with what is around them in real logs.
let sessionLog = """
  # Maven Session Log
  ## Continuous memory
  **Compacted:** 2026-01-16 | **Days Active:** 5

  ---

  ### 2026-01-11T08:30:00Z - BIRTH
  **Event:** Born
  **Action:**
    - Created

  ---
  ### 2026-01-11T08:30:00Z - MET BOSS
  **Event:** Met

  ---

  ### Future entries will be appended here...

  **Log Format:**
  ```
  ### 2026-01-11T08:30:00Z - EXAMPLE
  **Event:** Brief
  ```

  ### YYYY-MM-DDTHH:MM:SSZ - EVENT_TITLE

  ## Archive: Day 1 (2026-01-11) - Genesis

  **Key Events:**
  - **BIRTH** [08:30Z]: Born as CFO
    - Commit: d71c949

  - **MET BOSS**: JB
  - **REBIRTH #4** [~09:00Z]: Recovery
  - **BUG FIXES** [14:39-15:01Z]:
    - Fixed it
  - plain bullet
  - **Event:** not an entry

  ---

  ## Recent: Day 6 (2026-01-16) - Current

  ### [01:45Z] MILESTONE - BOUGIE CLI
  Bougied up.

  ### [02:55-02:59Z] KNOWLEDGE - CONNECTIVITY
  - **Testnet API**: Accessible

  ### [03:10Z] MAINTENANCE_DAY
  Compacting.

  ---

  ## Log Format
  ### [04:00Z] EXAMPLE - NOT AN EVENT
  Brief.

  ## Notes
  - **Key**: decisions

  ## [2026-01-17T20:29:50.332321+00:00] GIT_SYNC

  Synced 3 files

  ## What's Working Now:

  - all

  **Metadata:** {"synced": ["a"], "force": true}

  ---

  ## [NOTE] 2026-01-18 15:49:06
  A note without an end.
  """

let snapshotFile = """
  {
    "schema": 1,
    "snapshot_at": "2026-01-13T03:56:13.642576+00:00",
    "snapshot_type": "scheduled",
    "total_value_usd": 10500.25,
    "available_balance_usd": 4000.00,
    "margin_used_usd": 6400.00,
    "unrealized_pnl_usd": 100.25,
    "open_positions": [
      {
        "asset": "BTC",
        "side": "long",
        "entry": 64000,
        "size": 0.1
      }
    ],
    "pnl_24h": -12.50,
    "notes": "Quiet day",
    "metadata": {
      "source": "exchange"
    }
  }

  """
