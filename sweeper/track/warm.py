"""Imported by the fork server: what MLflow imports when a trial's process first opens its store.

It does so by the address of the store and by the kind of the artifacts' place, at first use. A
trial's process took 2.8 s to connect to a database without this, 0.1 s with it (2 slow cores).
"""

# the migrations are looked through whenever a database is opened
import alembic.autogenerate
import alembic.command  # noqa: F401
import mlflow.store.artifact.local_artifact_repo
import mlflow.store.artifact.mlflow_artifacts_repo
import mlflow.store.tracking.rest_store
import mlflow.store.tracking.sqlalchemy_store  # noqa: F401
import sqlalchemy.dialects.sqlite  # noqa: F401

import sweeper.track.mlflow  # noqa: F401
