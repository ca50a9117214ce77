"""Defaults that a role, a database or a server may have, and that change nothing."""

from __future__ import annotations

ODD: dict[str, dict[str, object]] = {
    "serializable": {"default_transaction_isolation": "serializable"},
    "repeatable read": {"default_transaction_isolation": "repeatable read"},
    "deferrable": {"default_transaction_isolation": "serializable", "default_transaction_deferrable": "on"},
    "not synchronous": {"synchronous_commit": "off"},
    "another search path": {"search_path": "nowhere"},
    "another style": {
        "timezone": "Asia/Kathmandu", "datestyle": "German, DMY", "intervalstyle": "sql_standard",
        "bytea_output": "escape", "extra_float_digits": "-15", "backslash_quote": "on", "row_security": "off",
        "quote_all_identifiers": "on",
    },
    "other plans": {
        "enable_indexscan": "off", "enable_bitmapscan": "off", "enable_indexonlyscan": "off",
        "plan_cache_mode": "force_custom_plan", "jit": "on", "jit_above_cost": "0",
    },
    "short waits": {"lock_timeout": "1", "deadlock_timeout": "1"},
    "no NULL in arrays": {"array_nulls": "off"},
    "quiet": {"client_min_messages": "error"},
    "talkative": {"client_min_messages": "debug1"},
}  # fmt: skip
