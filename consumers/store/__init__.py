"""The store: leases, jobs, parked events and rebuilds in SQL.

No error of SQLAlchemy or of a driver leaves it: a database that cannot take or answer a statement
is StoreUnavailable, a lease that another has taken is LeaseLost, a setting that is wrong is
ConfigError.
"""
