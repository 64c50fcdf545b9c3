"""Durable buckets and objects: sqlite for what is known about them, one file each for their contents.

A transaction is the only moment at which an object changes. Its content is complete and synced before, under
a random name that no row has yet: a kill at any point leaves the old object or the new one, and at most a
file without a row, which the next start removes. Knows nothing of HTTP, callers or permissions.
"""

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, BinaryIO

from localcloud.storage.contents import Content
from localcloud.storage.errors import StorageError, check
from localcloud.storage.listing import Page, fold
from localcloud.storage.records import Resource, Upload, microseconds, timestamp

# FULL, not NORMAL: NORMAL may forget the last commits in a power cut, when the file of the object that was
# overwritten is gone already, and a row would name a missing file. EXCLUSIVE: a second process would take
# the first one's unfinished uploads for leftovers.
_SETUP = """
PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;
CREATE TABLE IF NOT EXISTS records (
    kind TEXT, bucket TEXT, name TEXT, file TEXT, record TEXT, PRIMARY KEY (kind, bucket, name));
"""
_WEEK_US = 7 * 24 * 3600 * 1_000_000  # a session's life: cloud.google.com/storage/docs/resumable-uploads


class ObjectStore:
    """All methods block on the disk: call them in a thread. Safe to call from several threads at once."""

    def __init__(self, root: Path) -> None:
        self._files = root / "contents"
        self._files.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._db = sqlite3.connect(root / "storage.db", check_same_thread=False, timeout=0)
        try:
            self._db.executescript(_SETUP)
        except sqlite3.OperationalError as error:
            self._db.close()
            raise RuntimeError(f"{root} is in use ({error}): stop the other local cloud") from error
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise RuntimeError(
                f"{root} is damaged ({error}): delete it, with what is stored in it"
            ) from error
        with self._transaction():
            self._remove_leftovers()
            newest = "SELECT max(json_extract(record, '$.generation') + 0) FROM records WHERE kind='object'"
            self._generation = int(self._db.execute(newest).fetchone()[0] or 0)

    def close(self) -> None:
        self._db.close()

    def create_bucket(self, name: str, location: str, metadata: Mapping[str, Any] | None = None) -> Resource:
        """`metadata`: further fields of the JSON API's bucket. Raises StorageError 409 if the name is taken."""
        with self._transaction():
            if self._find("bucket", name):
                raise StorageError(409, f"The bucket {name} exists already.")
            known = {"name": name, "location": location.upper(), "timeCreated": timestamp(microseconds())}
            bucket = {**(metadata or {}), **known}
            self._save("bucket", name, "", bucket)
            return bucket

    def update_bucket(self, name: str, metadata: Mapping[str, Any]) -> Resource:
        """Replaces `metadata`."""
        with self._transaction():
            kept = {key: self.bucket(name)[key] for key in ("name", "location", "timeCreated")}
            bucket = {**metadata, **kept}
            self._save("bucket", name, "", bucket)
            return bucket

    def bucket(self, name: str) -> Resource:
        """Raises StorageError 404."""
        if not (found := self._find("bucket", name)):
            raise StorageError(404, "The specified bucket does not exist.")
        return found[0]

    def buckets(self) -> list[Resource]:
        with self._lock:
            rows = self._db.execute("SELECT record FROM records WHERE kind='bucket' ORDER BY bucket")
            return [json.loads(record) for (record,) in rows]

    def delete_bucket(self, name: str, force: bool = False) -> None:
        """Raises StorageError 409 if objects are in it, unless `force`."""
        with self._transaction():
            self.bucket(name)
            if self.page(name, limit=1).items and not force:
                raise StorageError(409, f"The bucket {name} you tried to delete is not empty.")
            query = "SELECT file FROM records WHERE bucket=? AND file<>''"
            files = self._db.execute(query, (name,)).fetchall()
            self._db.execute("DELETE FROM records WHERE bucket=?", (name,))
        self._unlink(*(file for (file,) in files))

    def get(self, bucket: str, name: str, generation: int | None = None) -> Resource:
        """Raises StorageError 404."""
        return self._live(bucket, name, generation)[0]

    def open(self, bucket: str, name: str, generation: int | None = None) -> tuple[Resource, BinaryIO]:
        """The object and its content, which stays readable if the object is overwritten meanwhile."""
        with self._lock:
            found, file = self._live(bucket, name, generation)
            return found, (self._files / file).open("rb")

    def delete(self, bucket: str, name: str, generation: int | None, conditions: Mapping[str, int]) -> None:
        with self._transaction():
            found, file = self._live(bucket, name, generation)
            check(conditions, found)
            self._remove("object", bucket, name)
        self._unlink(file)

    def page(
        self, bucket: str, prefix: str = "", delimiter: str = "", after: str = "", limit: int = 1000
    ) -> Page:
        """Entries after `after` in name order; names alike up to `delimiter` become one prefix."""
        where = "kind='object' AND bucket=? AND name>? AND name>=? ORDER BY name"
        query = f"SELECT name, record FROM records WHERE {where}"
        with self._lock:
            rows = self._db.execute(query, (bucket, after, prefix))
            return fold(rows, prefix, delimiter, after, limit)

    def content(self, upload: Upload) -> Content:
        """What has arrived, as the disk has it: so an upload goes on after a restart."""
        return Content(self._files / upload.id)

    def put(self, upload: Upload, content: Content, overwriting: StorageError | None = None) -> Resource:
        """Make an upload's content the live object, in one transaction; on failure the content is gone.

        `overwriting` is raised where an object exists already that its caller may not replace.
        """
        try:
            content.sync()
            with self._transaction():
                self.bucket(upload.bucket)
                old = self._find("object", upload.bucket, upload.name)
                check(upload.conditions, old[0] if old else None)
                if old and overwriting:
                    raise overwriting
                self._generation = max(microseconds(), self._generation + 1)
                new = upload.finished(content, self._generation)
                self._save("object", upload.bucket, upload.name, new, upload.id)
                if self._find("upload", upload.bucket, upload.id):
                    done = replace(upload, generation=self._generation)
                    self._save("upload", upload.bucket, upload.id, asdict(done))
        except BaseException:
            content.discard()
            raise
        if old:
            self._unlink(old[1])
        return new

    def keep_upload(self, upload: Upload) -> None:
        """Remember a resumable session."""
        with self._transaction():
            self._save("upload", upload.bucket, upload.id, asdict(upload), upload.id)

    def upload(self, bucket: str, id: str) -> Upload:
        """Raises StorageError 404."""
        if not (found := self._find("upload", bucket, id)):
            raise StorageError(404, f"There is no upload session {id}: begin a new one.")
        return Upload(**found[0])

    def cancel_upload(self, upload: Upload) -> None:
        with self._transaction():
            self._remove("upload", upload.bucket, upload.id)
        if not upload.generation:
            self._unlink(upload.id)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock, self._db:
            yield

    def _find(self, kind: str, bucket: str, name: str = "") -> tuple[Resource, str] | None:
        query = "SELECT record, file FROM records WHERE kind=? AND bucket=? AND name=?"
        with self._lock:
            row = self._db.execute(query, (kind, bucket, name)).fetchone()
        return (json.loads(row[0]), row[1]) if row else None

    def _live(self, bucket: str, name: str, generation: int | None) -> tuple[Resource, str]:
        found = self._find("object", bucket, name)
        if not found or generation not in (None, int(found[0]["generation"])):
            raise StorageError(404, f"No such object: {bucket}/{name}")
        return found

    def _save(self, kind: str, bucket: str, name: str, record: Resource, file: str = "") -> None:
        row = (kind, bucket, name, file, json.dumps(record))
        self._db.execute("INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?, ?)", row)

    def _remove(self, kind: str, bucket: str, name: str) -> None:
        self._db.execute("DELETE FROM records WHERE kind=? AND bucket=? AND name=?", (kind, bucket, name))

    def _unlink(self, *files: str) -> None:
        for file in files:
            (self._files / file).unlink(missing_ok=True)

    def _remove_leftovers(self) -> None:
        expired = "kind='upload' AND json_extract(record, '$.created') < ?"
        self._db.execute(f"DELETE FROM records WHERE {expired}", (microseconds() - _WEEK_US,))
        live = {file for (file,) in self._db.execute("SELECT file FROM records")}
        self._unlink(*(file.name for file in self._files.iterdir() if file.name not in live))
