"""The catalogue: the 19 tasks of VTAB-1k and the 5 of FGVC, in the order of the paper's columns."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Group = Literal["natural", "specialized", "structured", "fgvc"]
SEE = "see source"
FLOWERS = "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/"
CLEVR = "https://cs.stanford.edu/people/jcjohns/clevr/"
DSPRITES = "https://github.com/google-deepmind/dsprites-dataset"
SMALLNORB = "https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/"
RETINOPATHY = "https://www.kaggle.com/c/diabetic-retinopathy-detection"


@dataclass(frozen=True)
class CatalogueTask:
    """A published task: what it is called, how many classes it has, where its data can be had.

    `name` is the folder's name on disk, `title` the paper's. `vpt_prompts` is the prompt count published for
    VPT-deep, None where none is. `licence` is the data's, "see source" where its terms are its own.
    """

    name: str
    title: str
    group: Group
    class_count: int
    source: str
    licence: str
    vpt_prompts: int | None = None
    aliases: tuple[str, ...] = ()

    @property
    def test_count(self) -> int:
        """Pictures of the benchmark's test split."""
        return _TEST_COUNTS[self.name]

    @property
    def benchmark(self) -> str:
        """The benchmark the task belongs to, as it is written: VTAB-1k or FGVC."""
        return "FGVC" if self.group == "fgvc" else "VTAB-1k"


# Sizes of the test splits: the tables in VPT's appendix.
_TEST_COUNTS: Mapping[str, int] = MappingProxyType(
    {
        "cifar": 10_000, "caltech101": 6_084, "dtd": 1_880, "oxford_flowers102": 6_149,
        "oxford_iiit_pet": 3_669, "svhn": 26_032, "sun397": 21_750,
        "patch_camelyon": 32_768, "eurosat": 5_400, "resisc45": 6_300, "diabetic_retinopathy": 42_670,
        "clevr_count": 15_000, "clevr_dist": 15_000, "dmlab": 22_735, "kitti": 711,
        "dsprites_loc": 73_728, "dsprites_ori": 73_728, "smallnorb_azi": 12_150, "smallnorb_ele": 12_150,
        "cub": 5_794, "nabirds": 24_633, "fgvc_flowers": 6_149, "dogs": 8_580, "cars": 8_041,
    }
)  # fmt: skip

# Prompt counts: VPT's released search results for ViT-B/16, ImageNet-21k, VPT-deep.
_ALL = (
    CatalogueTask(
        "cifar", "CIFAR-100", "natural", 100, "https://www.cs.toronto.edu/~kriz/cifar.html", SEE, 10,
        ("cifar100", "cifar(num_classes=100)"),
    ),
    CatalogueTask(
        "caltech101", "Caltech101", "natural", 102, "https://data.caltech.edu/records/mzrjq-6wc02",
        "CC BY 4.0", 10, ("caltech",),
    ),
    CatalogueTask(
        "dtd", "DTD", "natural", 47, "https://www.robots.ox.ac.uk/~vgg/data/dtd/", SEE, 10,
        ("describable_textures",),
    ),
    CatalogueTask(
        "oxford_flowers102", "Flowers102", "natural", 102, FLOWERS, SEE, 1, ("flowers102", "oxford_flowers"),
    ),
    CatalogueTask(
        "oxford_iiit_pet", "Pets", "natural", 37, "https://www.robots.ox.ac.uk/~vgg/data/pets/",
        "CC BY-SA 4.0", 1, ("pets", "pet", "oxford_pets", "oxford_pet", "oxford_iiit_pets"),
    ),
    CatalogueTask(
        "svhn", "SVHN", "natural", 10, "http://ufldl.stanford.edu/housenumbers/", SEE, 50,
        ("svhn_cropped",),
    ),
    CatalogueTask(
        "sun397", "Sun397", "natural", 397, "https://vision.princeton.edu/projects/2010/SUN/", SEE, 5,
        ("sun",),
    ),
    CatalogueTask(
        "patch_camelyon", "Patch Camelyon", "specialized", 2, "https://github.com/basveeling/pcam",
        "CC0", 100, ("camelyon", "pcam"),
    ),
    CatalogueTask(
        "eurosat", "EuroSAT", "specialized", 10, "https://zenodo.org/records/7711810", "MIT", 100,
        ("eurosat_rgb",),
    ),
    CatalogueTask(
        "resisc45", "Resisc45", "specialized", 45, "https://gcheng-nwpu.github.io/#Datasets", SEE, 10,
        ("resisc", "nwpu_resisc45"),
    ),
    CatalogueTask(
        "diabetic_retinopathy", "Retinopathy", "specialized", 5, RETINOPATHY, SEE, 1,
        ("retinopathy", "diabetic_retinopathy_detection", "diabetic_retinopathy(config=btgraham-300)"),
    ),
    CatalogueTask(
        "clevr_count", "Clevr/count", "structured", 8, CLEVR, "CC BY 4.0", 50,
        ("clevr_count_all", "clevr(task=count_all)"),
    ),
    CatalogueTask(
        "clevr_dist", "Clevr/distance", "structured", 6, CLEVR, "CC BY 4.0", 200,
        ("clevr_distance", "clevr_closest_object_distance", "clevr(task=closest_object_distance)"),
    ),
    CatalogueTask(
        "dmlab", "DMLab", "structured", 6, "https://www.tensorflow.org/datasets/catalog/dmlab", SEE, 100,
        ("deepmind_lab",),
    ),
    CatalogueTask(
        "kitti", "KITTI/distance", "structured", 4, "https://www.cvlibs.net/datasets/kitti/",
        "CC BY-NC-SA 3.0", 50, ("kitti_dist", "kitti_distance", "kitti(task=closest_vehicle_distance)"),
    ),
    CatalogueTask(
        "dsprites_loc", "dSprites/location", "structured", 16, DSPRITES, "Apache-2.0", 10,
        ("dsprites_location", "dsprites_label_x_position",
         "dsprites(predicted_attribute=label_x_position,num_classes=16)"),
    ),
    CatalogueTask(
        "dsprites_ori", "dSprites/orientation", "structured", 16, DSPRITES, "Apache-2.0", 50,
        ("dsprites_orientation", "dsprites_label_orientation",
         "dsprites(predicted_attribute=label_orientation,num_classes=16)"),
    ),
    CatalogueTask(
        "smallnorb_azi", "SmallNORB/azimuth", "structured", 18, SMALLNORB, SEE, 200,
        ("smallnorb_azimuth", "smallnorb_label_azimuth", "smallnorb(predicted_attribute=label_azimuth)"),
    ),
    CatalogueTask(
        "smallnorb_ele", "SmallNORB/elevation", "structured", 9, SMALLNORB, SEE, 200,
        ("smallnorb_elevation", "smallnorb_label_elevation",
         "smallnorb(predicted_attribute=label_elevation)"),
    ),
    CatalogueTask(
        "cub", "CUB-200-2011", "fgvc", 200, "https://www.vision.caltech.edu/datasets/cub_200_2011/", SEE,
        aliases=("cub200", "cub_200", "cub_200_2011", "cub200_2011"),
    ),
    CatalogueTask(
        "nabirds", "NABirds", "fgvc", 555, "https://dl.allaboutbirds.org/nabirds", SEE, aliases=("na_birds",),
    ),
    CatalogueTask(
        "fgvc_flowers", "Oxford Flowers", "fgvc", 102, FLOWERS, SEE,
        aliases=("oxfordflower", "fgvc_oxfordflower", "fgvc_oxford_flowers", "fgvc_flowers102"),
    ),
    CatalogueTask(
        "dogs", "Stanford Dogs", "fgvc", 120, "http://vision.stanford.edu/aditya86/ImageNetDogs/", SEE,
        aliases=("stanford_dogs", "fgvc_dogs"),
    ),
    # The set's own page is gone; VPT's authors name this copy.
    CatalogueTask(
        "cars", "Stanford Cars", "fgvc", 196, "https://github.com/cyizhuo/Stanford-Cars-dataset", SEE,
        aliases=("stanford_cars", "fgvc_cars"),
    ),
)  # fmt: skip

TASKS: Mapping[str, CatalogueTask] = MappingProxyType({task.name: task for task in _ALL})


def task_named(name: str) -> CatalogueTask | None:
    """The task of that name or alias, or None; case, dashes and a leading `vtab-` do not count."""
    return _BY_NAME.get(_plain(name))


def close_names(name: str, others: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Names of the catalogue, or `others`, that `name` may be meant for; the closest first, three at most."""
    canonical = {key: task.name for key, task in _BY_NAME.items()} | {
        _plain(other): other for other in others
    }
    matches = difflib.get_close_matches(_plain(name), canonical, n=6, cutoff=0.6)
    inside = [key for key in canonical if len(_plain(name)) > 2 and _plain(name) in key]
    return tuple(dict.fromkeys(canonical[key] for key in [*matches, *inside]))[:3]


def _plain(name: str) -> str:
    """`vtab-cifar(num_classes=100)` → `cifarnumclasses100`."""
    return re.sub(r"[^a-z0-9]", "", name.lower()).removeprefix("vtab1k").removeprefix("vtab")


_BY_NAME: Mapping[str, CatalogueTask] = MappingProxyType(
    {_plain(name): task for task in _ALL for name in (task.name, *task.aliases)}
)
