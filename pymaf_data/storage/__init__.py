"""The store: cropped persons, fits and maps in a sharded Zarr v3 group, written shard by shard and never twice.

    store = create_store(path, plan, specs, provenance)          # or open_store(path) to read
    with store.lock("ingest"):
        writer = store.stage("ingest", plan.digest, specs)
        for k in writer.missing():
            writer.write_shard(k, {name: rows_of(name, writer.rows(k)), …}, input_digest)
        path = writer.finish()
    open_store(path).array("image")[0]                            # (S, S, 3) uint8

The normative text is ``schemas/store.md``. Rooms, lowest first: ``shard`` (bytes and index arithmetic),
``chunks`` (JPEG and Zstandard), ``specs`` (arrays and their encoding), ``files`` (durable input and output),
``records`` (names, and sealed records under them), ``plan``, ``lock``, ``swap``, ``writer``, ``reader``, ``store``,
``create``; on these stand ``verify``, ``inspect``, ``gc`` and ``migrate``. ``codec`` is for zarr-python alone.
"""

from pymaf_data.storage.chunks import encode_jpeg
from pymaf_data.storage.create import create_store
from pymaf_data.storage.gc import collect_garbage
from pymaf_data.storage.inspect import inspect
from pymaf_data.storage.migrate import migrate
from pymaf_data.storage.plan import Plan, Provenance
from pymaf_data.storage.reader import Array
from pymaf_data.storage.specs import ArraySpec
from pymaf_data.storage.store import StageInfo, Store, open_store
from pymaf_data.storage.verify import Finding, verify
from pymaf_data.storage.writer import StageWriter

__all__ = [
    "Array",
    "ArraySpec",
    "Finding",
    "Plan",
    "Provenance",
    "StageInfo",
    "StageWriter",
    "Store",
    "collect_garbage",
    "create_store",
    "encode_jpeg",
    "inspect",
    "migrate",
    "open_store",
    "verify",
]
