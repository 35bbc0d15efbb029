"""Public data sets: one small file each, saying where it lives, how it is verified, how it is read, and its licence.

`ALL` maps names to data sets; a new one is one file and one line here.
"""

from macrid.model.datasets.alishop_7c import ALISHOP_7C
from macrid.model.datasets.dataset import DataSet
from macrid.model.datasets.demo import DEMO_SHOP
from macrid.model.datasets.goodbooks_10k import GOODBOOKS_10K
from macrid.model.datasets.ml_1m import ML_1M
from macrid.model.datasets.ml_20m import ML_20M
from macrid.model.datasets.ml_100k import ML_100K
from macrid.model.datasets.ml_latest_small import ML_LATEST_SMALL
from macrid.model.datasets.netflix import NETFLIX

ALL: dict[str, DataSet] = {
    dataset.name: dataset
    for dataset in (DEMO_SHOP, ML_LATEST_SMALL, ML_100K, ML_1M, ML_20M, NETFLIX, GOODBOOKS_10K, ALISHOP_7C)
}
