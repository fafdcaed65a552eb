"""All findings as one JSON document, for other programs."""

from dataclasses import asdict
from typing import Any

from sweeper.config import Recipe
from sweeper.data_doctor.class_sizes import WIDEST, judging_split, least_to_judge
from sweeper.data_doctor.copies import KINDS, Pair
from sweeper.data_doctor.examination import Examination, leaking_images
from sweeper.data_doctor.label_issues import LEAST, UNSURE
from sweeper.data_doctor.out_of_fold import FOLDS

VERSION = 1
"""Of the document: another one where a key means something else."""


def document(found: Examination, recipe: Recipe, data: str, place: str) -> dict[str, Any]:
    """Everything, images by what identifies them in their source."""
    collection = found.collection
    return {
        "version": VERSION,
        "data": data,
        "place": place,
        "backbone": recipe.backbone.name,
        "pretrained": recipe.backbone.weights is not None,
        "image_size": recipe.image_size,
        "images": len(collection),
        "split": collection.split_text,
        "cannot_be_split": list(collection.unsplit),
        "classes": [{"name": one.name, **one.images} for one in found.sizes],
        "too_small_to_judge": {
            "classes": list(found.small_classes),
            "images": judging_split(collection),
            "fewer_than": least_to_judge(),
            "interval_wider_than": WIDEST,
        },
        "files": None if found.properties is None else asdict(found.properties),
        "left_out": [{"image": name, "reason": why} for name, why in found.undecodable],
        "notes": list(found.notes),
        "duplicates": _duplicates(found),
        "labels": _labels(found),
    }


def _duplicates(found: Examination) -> dict[str, Any]:
    pairs = found.copies.pairs
    return {
        "counts": {kind: sum(pair.kind == kind for pair in pairs) for kind in KINDS},
        "leaking_images": leaking_images(found),
        "conflicting_labels": sum(map(found.conflicts, pairs)),
        "correlation_from": {
            "near": found.copies.near_from,
            "cropped": found.copies.crop_from,
        },
        "pairs": [_pair(found, pair) for pair in ordered(found)],
    }


def ordered(found: Examination) -> list[Pair]:
    """The pairs in the order in which a person should look at them.

    First those whose labels differ, then those across splits; in each the surest first.
    """
    return sorted(
        found.copies.pairs,
        key=lambda pair: (
            not found.conflicts(pair),
            found.across(pair) is None,
            KINDS.index(pair.kind),
            -pair.correlation,
            pair.first,
        ),
    )


def _pair(found: Examination, pair: Pair) -> dict[str, Any]:
    collection = found.collection
    return {
        "images": [collection.identify(at) for at in (pair.first, pair.second)],
        "splits": [str(collection.splits[at]) for at in (pair.first, pair.second)],
        "labels": [collection.label(at) for at in (pair.first, pair.second)],
        "kind": pair.kind,
        "across": found.across(pair),
        "cosine": round(pair.cosine, 4),
        "correlation": round(pair.correlation, 4),
    }


def _labels(found: Examination) -> dict[str, Any]:
    collection, issues = found.collection, found.issues
    names = collection.class_names
    return {
        "judged_images": len(issues.ranked),
        "heads_accuracy": issues.accuracy,
        "folds": FOLDS,
        "unsure_below": UNSURE,
        "likely_wrong": int(issues.wrong.sum()),
        "classes_not_judged": [names[label] for label in issues.unjudged],
        "judged_from_images_of_a_class": LEAST,
        "ranked": [
            {
                "image": collection.identify(at),
                "split": str(collection.splits[at]),
                "label": collection.label(at),
                "suggestion": names[issues.suggestions[at]],
                "score": round(float(issues.scores[at]), 4),
                "likely_wrong": bool(issues.wrong[at]),
            }
            for at in issues.ranked.tolist()
        ],
    }
