"""Imported by the fork server: what a trial's process would import when it first needs it.

MLflow imports by the address of its store and by the kind of the artifacts' place. To connect to a
database took 2.8 s of a trial without this, and takes 0.1 s with it (2 slow cores).
"""

# the migrations are looked through whenever a database is opened
import alembic.autogenerate
import alembic.command
import alembic.config  # noqa: F401
import mlflow.store.artifact.local_artifact_repo
import mlflow.store.artifact.mlflow_artifacts_repo
import mlflow.store.tracking.rest_store
import mlflow.store.tracking.sqlalchemy_store
import mlflow.store.tracking.sqlalchemy_workspace_store  # noqa: F401

# what a picture is written with
import PIL.ImageDraw
import PIL.ImageFont
import PIL.ImageOps
import PIL.PngImagePlugin  # noqa: F401
import sqlalchemy.dialects.sqlite  # noqa: F401

import sweeper.track.mlflow
import sweeper.train.pictures.plots
import sweeper.train.pictures.preview  # noqa: F401
