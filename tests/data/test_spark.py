"""What stands in Spark gives what the same rows in files give (Spark in local mode)."""

import shutil

import pandas as pd
import pytest
import test_databases

pyspark = pytest.importorskip("pyspark", reason="PySpark is not installed")
pytestmark = pytest.mark.skipif(shutil.which("java") is None, reason="Java is not installed")
KINDS = {
    "people": ["int", "string", "date", "string"],
    "lines": ["int", "int", "timestamp", "decimal(12,2)", "string"],
    "answers": ["decimal(9,0)", "string", "double"],
}


@pytest.fixture
def spark(tmp_path):
    """A session in this process, whose tables are views."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
    builder = builder.config("spark.sql.shuffle.partitions", "1")
    builder = builder.config("spark.sql.warehouse.dir", str(tmp_path / "warehouse"))
    session = builder.config("spark.sql.session.timeZone", "Asia/Shanghai").getOrCreate()
    for name, (columns, rows) in test_databases.COLUMNS.items():
        texts = [[None if each is None else str(each) for each in row] for row in rows]
        frame = session.createDataFrame(texts, ", ".join(f"{each} string" for each in columns))
        pairs = zip(columns, KINDS[name], strict=True)
        own = [f"cast({column} as {kind}) as {column}" for column, kind in pairs]
        frame.selectExpr(*own).createOrReplaceTempView(name)
    yield session
    session.stop()


def test_spark_gives_what_the_files_give(spark, tmp_path):
    path = test_databases.written(tmp_path, "spark", 'database = "pyspark://"')
    other = test_databases.regions(test_databases.files(tmp_path))
    for region, tables in test_databases.regions(path).items():
        for each, frame in tables.items():
            pd.testing.assert_frame_equal(other[region][each], frame, rtol=1e-12)
