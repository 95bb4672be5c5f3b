"""Every knob of a training run, once: the command line, its help and the run's key are made from it."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import PlainSerializer

from adapters.config import StrictModel
from adapters.store.files import Location
from training.methods.table import METHODS, defaults_help, method_help
from training.options.knob import (
    AUGMENTATION,
    COMMON,
    DATA,
    MACHINE,
    METHOD,
    OPTIMIZATION,
    PICTURES,
    PUBLISHING,
    knob,
)
from training.path_text import TextualPath, text_of

HIGHEST_SEED = 2**63 - 1  # torch's
HIGHEST_SPLIT_SEED = 2**32 - 1  # scikit-learn's
TextualLocation = Annotated[Location, PlainSerializer(text_of, return_type=str, when_used="json")]


class TrainOptions(StrictModel):
    """Options of `dvpt-train`, each by itself; None stands for a default that depends on other options."""

    task: str = knob(
        ..., COMMON, "a task of the catalogue, or with --data a name of your choice", by_content=True
    )
    data: TextualPath | None = knob(
        None,
        COMMON,
        "folder of pictures, a list of them (.csv, .parquet), or hf://owner/name",
        by_content=True,
    )
    method: str = knob("dvpt-plus", COMMON, method_help(), choices=tuple(METHODS))
    store: TextualLocation | None = knob(
        None, COMMON, "store to publish to (default: stores/<backbone>, or stores/embedded)", keyed=False
    )
    backbone: str | None = knob(
        None,
        COMMON,
        "timm name of the ViT, for a new store (default: ViT-B/16, embedded for embedded tasks)",
        by_content=True,
    )
    weights: TextualPath | None = knob(
        None, COMMON, "local .safetensors file of the backbone's weights", by_content=True
    )
    epochs: int | None = knob(
        None,
        COMMON,
        f"passes over the training pictures ({defaults_help('epochs')}); --steps may ask for more",
        ge=0,
    )
    device: str = knob("auto", COMMON, "auto, cpu or cuda:N", by_content=True)
    seed: int = knob(0, COMMON, "seed of initialization, order and dropout", ge=0, le=HIGHEST_SEED)
    dry_run: bool = knob(
        False, COMMON, "print sizes, parameters, memory and time; train and write nothing", keyed=False
    )

    prompt_count: int | None = knob(
        None,
        METHOD,
        f"prompts P in each layer; 0 is one for 16 patches, from 2 to 10 ({defaults_help('prompt_count')})",
        ge=0,
        le=1000,
    )
    prompt_start: Literal["random", "tokens"] | None = knob(
        None,
        METHOD,
        "how prompts start: as VPT's do, or as patch tokens of the layers they are put in "
        f"({defaults_help('prompt_start')})",
    )
    deep: bool = knob(True, METHOD, "every layer has prompts of its own; otherwise they are carried on")
    meta_net: Literal["shared", "specific", "none"] = knob(
        "shared", METHOD, "one dynamic prompt for all prompts of a layer, one for each, or none at all"
    )
    meta_layers: int = knob(4, METHOD, "linear maps of the Meta-Net", ge=2, le=16)
    meta_hidden: int = knob(0, METHOD, "width inside the Meta-Net; 0 is D/16", ge=0, le=8192)
    meta_input: Literal["mean", "token"] = knob(
        "mean", METHOD, "the Meta-Net reads the mean of the patch tokens, or each with the mean taken after"
    )
    meta_norm: bool = knob(False, METHOD, "normalize what the Meta-Net reads")
    dynamic_layers: Literal["first", "all"] = knob("first", METHOD, "layers the dynamic prompt is added in")
    prompt_dropout: float = knob(0.0, METHOD, "dropout on the prompts while training", ge=0, lt=1)
    partial_blocks: int = knob(1, METHOD, "blocks that partial trains, from the last", ge=1, le=100)
    bottleneck_width: int | None = knob(
        None,
        METHOD,
        f"columns of the bottleneck beside each MLP ({defaults_help('bottleneck_width')})",
        ge=1,
        le=256,
    )
    sequential_reduction: int = knob(8, METHOD, "width of the backbone over that of sequential's", ge=1)
    sequential_init: Literal["kaiming", "vpt_zero"] = knob(
        "kaiming", METHOD, "how sequential's first matrix starts; vpt_zero trains the last biases alone"
    )
    head_layers: int | None = knob(
        None, METHOD, f"linear maps of the head; k > 1 is Mlp-k ({defaults_help('head_layers')})", ge=1, le=8
    )
    head_dropout: float = knob(0.1, METHOD, "dropout inside an Mlp-k head while training", ge=0, lt=1)
    head_first: bool | None = knob(
        None,
        METHOD,
        f"start from the linear head of the features as they are ({defaults_help('head_first')})",
    )
    linear_floor: bool | None = knob(
        None,
        METHOD,
        "end as a linear head where that was better beyond chance on pictures held back "
        f"({defaults_help('linear_floor')})",
    )
    # The run's key has the tensors that are started from, whatever name they are reached by.
    warm_start: str | None = knob(
        None, METHOD, "start from a version in the store: TASK, TASK@VERSION or TASK@LABEL", keyed=False
    )

    optimizer: Literal["adamw", "sgd"] = knob("adamw", OPTIMIZATION, "sgd has momentum 0.9")
    lr: float | None = knob(None, OPTIMIZATION, f"peak learning rate ({defaults_help('lr')})", gt=0)
    steps: int | None = knob(
        None,
        OPTIMIZATION,
        f"at least so many steps, in as many epochs as that takes ({defaults_help('steps')}); --epochs "
        "alone is the number of epochs",
        ge=0,
    )
    head_lr_ratio: float | None = knob(
        None,
        OPTIMIZATION,
        f"the head's learning rate over that of the rest ({defaults_help('head_lr_ratio')})",
        gt=0,
    )
    model_ema_decay: float | None = knob(
        None,
        OPTIMIZATION,
        "what counts is the weights' average over past steps, each step this times the weight of the next; "
        f"0 is the last step alone ({defaults_help('model_ema_decay')})",
        ge=0,
        lt=1,
    )
    meta_lr_ratio: float = knob(1.0, OPTIMIZATION, "the Meta-Net's learning rate over that of the rest", gt=0)
    bottleneck_lr_ratio: float | None = knob(
        None,
        OPTIMIZATION,
        "the bottleneck's learning rate over that of prompts and affine "
        f"({defaults_help('bottleneck_lr_ratio')})",
        gt=0,
    )
    weight_decay: float = knob(1e-4, OPTIMIZATION, "weight decay", ge=0)
    decay_biases: bool = knob(True, OPTIMIZATION, "weight decay of biases and norms too; VPT's grid has none")
    batch_size: int = knob(50, OPTIMIZATION, "pictures in a step; the last, smaller batch is kept", ge=2)
    warmup: float = knob(0.1, OPTIMIZATION, "part of all steps the learning rate rises over", ge=0, lt=1)
    clip_grad: float = knob(
        0.0, OPTIMIZATION, "the gradient's norm is scaled down to this where it is more; 0 leaves it", ge=0
    )
    label_smoothing: float | None = knob(
        None,
        OPTIMIZATION,
        f"part of each label that is spread evenly over the classes ({defaults_help('label_smoothing')})",
        ge=0,
        lt=1,
    )
    class_weights: Literal["none", "balanced"] = knob(
        "none",
        OPTIMIZATION,
        "balanced: each class counts alike in the loss, however many training pictures it has",
    )
    drop_path: float | None = knob(
        None,
        OPTIMIZATION,
        f"chance that the last block is left out while training, less before ({defaults_help('drop_path')})",
        ge=0,
        lt=1,
    )
    patience: int = knob(
        0, OPTIMIZATION, "stop after so many epochs without a better val; 0 trains them all", ge=0
    )

    random_shift: float | None = knob(
        None,
        AUGMENTATION,
        "training pictures are moved by up to this part of their side, up or down and left or right, edges "
        f"repeated ({defaults_help('random_shift')})",
        ge=0,
        le=0.5,
    )
    shift_check: bool = knob(
        True,
        AUGMENTATION,
        "move them only where a linear head that is fitted to moved pictures answers others better",
    )
    random_crop: Literal["none", "shift", "resized"] = knob(
        "none",
        AUGMENTATION,
        "shift cuts the input anywhere out of a picture of --resize-ratio times its size; resized also draws "
        "the part's size and sides",
    )
    crop_scale: float = knob(0.35, AUGMENTATION, "least part of the picture that resized keeps", gt=0, le=1)
    flip: float = knob(0.0, AUGMENTATION, "chance that left and right are exchanged", ge=0, le=1)
    vertical_flip: float = knob(0.0, AUGMENTATION, "chance that top and bottom are exchanged", ge=0, le=1)
    rand_augment: int = knob(0, AUGMENTATION, "magnitude of RandAugment; 0 is none, 9 is usual", ge=0, le=10)
    rand_augment_operations: int = knob(
        2, AUGMENTATION, "operations that RandAugment draws, each done with chance 0.5", ge=1, le=8
    )
    random_erasing: float = knob(0.0, AUGMENTATION, "chance that a rectangle becomes noise", ge=0, le=1)
    mixup: float = knob(
        0.0, AUGMENTATION, "mixes pairs of pictures and labels, shares from Beta(X, X); 0 is none", ge=0
    )
    cutmix: float = knob(0.0, AUGMENTATION, "the same with a rectangle of the other picture", ge=0)

    data_root: TextualPath | None = knob(
        None, DATA, "folder with vtab-1k/<task> or imagefolder/<task> (default: $DVPT_DATA_ROOT)", keyed=False
    )
    train_split: Literal["train", "trainval"] = knob("trainval", DATA, "what is trained on")
    train_percent: int = knob(
        100,
        DATA,
        "per cent of the training pictures that is used; FGVC's train_{N}.json if there",
        by_content=True,
        ge=10,
        le=100,
    )
    hold_back: float | None = knob(
        None,
        DATA,
        "part of the epochs that is trained without --val-fraction of the pictures, which are answered then, "
        f"for temperature and --linear-floor; 0 trains on all from the start ({defaults_help('hold_back')})",
        ge=0,
        lt=1,
    )
    eval_split: Literal["val", "test"] = knob("test", DATA, "what is evaluated, once, at the end")
    val_every: int = knob(0, DATA, "epochs between looks at val, with --train-split train; 0 is never", ge=0)
    val_fraction: float = knob(
        0.2, DATA, "part of train cut off as val where there is none", by_content=True, gt=0, lt=1
    )
    test_fraction: float = knob(
        0.2, DATA, "part of all pictures cut off as test if there is none", by_content=True, gt=0, lt=1
    )
    split_seed: int = knob(
        0, DATA, "seed of splits that are made", by_content=True, ge=0, le=HIGHEST_SPLIT_SEED
    )
    image_size: int | None = knob(
        None, DATA, "input pixels a side (default: the backbone's)", by_content=True, ge=16, le=1024
    )
    fit: Literal["squash", "crop"] = knob("squash", DATA, "resize both sides, or the short one and crop")
    interpolation: Literal["bilinear", "bicubic"] = knob("bicubic", DATA, "how pictures are resized")
    resize_ratio: float = knob(1.143, DATA, "short side over input size, with --fit crop", ge=1, le=4)

    dataset: str | None = knob(
        None,
        PICTURES,
        "instead of --data: a Hugging Face dataset, owner/name[:configuration] or a folder",
        by_content=True,
    )
    check: bool = knob(
        False,
        PICTURES,
        "look through all pictures, say what is there, draw a page of them; train nothing",
        keyed=False,
    )
    folders: Literal["auto", "splits", "classes"] = knob(
        "auto",
        PICTURES,
        "what the folders directly below --data are, where their names leave it open",
        keyed=False,
    )
    strict_data: bool = knob(
        False,
        PICTURES,
        "refuse pictures whose equals are in another split or under another label",
        keyed=False,
    )
    skip_damaged: bool = knob(
        False, PICTURES, "go on without files that cannot be read, and record which", keyed=False
    )
    shots: int | None = knob(
        None,
        PICTURES,
        "train on so many pictures of each class, drawn with --split-seed",
        by_content=True,
        ge=1,
    )

    precision: Literal["auto", "fp32", "bf16", "fp16"] = knob(
        "auto",
        MACHINE,
        "of the backbone; auto is bf16 where it is computed natively; fp16 needs CUDA",
        by_content=True,
    )
    deterministic: bool = knob(
        False, MACHINE, "only operations that give the same bits each time, on a GPU too; slower"
    )
    compile: bool = knob(False, MACHINE, "compile the backbone first; pays on long runs")
    decode_threads: int = knob(0, MACHINE, "threads that decode pictures; 0 is one a core", keyed=False, ge=0)
    runs: TextualPath = knob(Path("runs"), MACHINE, "where run directories are kept", keyed=False)
    fresh: bool = knob(False, MACHINE, "start over instead of resuming this run", keyed=False)
    predictions: TextualPath | None = knob(
        None, MACHINE, "also write the prediction for each evaluated picture to this CSV file", keyed=False
    )

    name: str | None = knob(None, PUBLISHING, "publish under this name (default: the task's)", keyed=False)
    label: str = knob("stable", PUBLISHING, "label that is moved to the new version", keyed=False)
    replace_classes: bool = knob(
        False, PUBLISHING, "move the label although it names a version with other classes", keyed=False
    )
    calibrate: bool = knob(
        True,
        PUBLISHING,
        "fit a temperature on pictures that were not trained on (val, or those of --hold-back), and fold it "
        "into the head",
        keyed=False,
    )
    accept_precision: float = knob(
        0.95,
        PUBLISHING,
        "part of accepted answers that shall be right: a service abstains below the threshold of a class",
        keyed=False,
        ge=0,
        le=1,
    )
    false_alarms: float = knob(
        0.05,
        PUBLISHING,
        "part of pictures of known classes that a service may take for none of them",
        keyed=False,
        ge=0,
        lt=1,
    )
    sign_key: TextualPath | None = knob(
        None,
        PUBLISHING,
        "sign what is published with this Ed25519 private key (PEM), for services that ask for it",
        keyed=False,
    )
    publish: bool | None = knob(
        None, PUBLISHING, "publish the adapter to the store (default: if it can be served)", keyed=False
    )
