"""Every peer keeps what a family of models promises."""

from mmm_models.family import ModelFamily
from tests.mmm_models.family_contract import FamilyContract
from tests.mmm_models.peers.quick_families import quick_family


class TestRidge(FamilyContract):
    family: ModelFamily = quick_family("ridge")
    effects_may_vanish = True


class TestLogLinear(FamilyContract):
    family: ModelFamily = quick_family("log-linear")
    effects_may_vanish = True


class TestInteractions(FamilyContract):
    family: ModelFamily = quick_family("interactions")
    effects_may_vanish = True


class TestTimeVarying(FamilyContract):
    family: ModelFamily = quick_family("time-varying")
    effects_may_vanish = True


class TestBoosting(FamilyContract):
    family: ModelFamily = quick_family("boosting")
    effects_may_vanish = True


class TestRecurrent(FamilyContract):
    family: ModelFamily = quick_family("recurrent")
    effects_may_vanish = True
    curves_may_fall = True
