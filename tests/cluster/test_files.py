"""The cluster files, by Ray's own schema, and by what they have in common."""

from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FILES = ("ray_cluster.yaml", "clusters/aws.yaml", "clusters/gcp.yaml")
CLOUDS = FILES[1:]


def raw(name: str) -> dict:
    return yaml.safe_load((ROOT / name).read_text())


@pytest.mark.parametrize("name", FILES)
def test_ray_takes_it(name):
    pytest.importorskip("ray", reason="needs Ray")
    from ray.autoscaler._private.util import prepare_config, validate_config

    prepared = prepare_config(raw(name))
    validate_config(prepared)
    assert prepared["head_node_type"] in prepared["available_node_types"]


def test_one_it_does_not_take_is_told():
    pytest.importorskip("ray", reason="needs Ray")
    from ray.autoscaler._private.util import prepare_config, validate_config

    with pytest.raises(Exception, match="misspelled"):
        validate_config(prepare_config(raw("ray_cluster.yaml") | {"misspelled": 1}))


@pytest.mark.parametrize("name", FILES)
def test_packages_reach_every_machine_and_the_token_is_asked_for(name):
    config = raw(name)
    assert config["file_mounts"]["~/setol-zoo"] == "."
    commands = " ".join(config["setup_commands"])
    assert "-r ~/setol-zoo/requirements.lock" in commands
    assert "-e ~/setol-zoo" in commands
    assert config["cluster_synced_files"] == ["~/.ray/auth_token"]
    assert any("get-auth-token --generate" in command for command in config["head_setup_commands"])
    for commands in (config["head_start_ray_commands"], config["worker_start_ray_commands"]):
        assert commands[0] == "ray stop"
        assert "RAY_AUTH_MODE=token" in commands[1]
        assert "unset OMP_NUM_THREADS" in commands[1]
    assert ("RAY_enable_autoscaler_v2=0" in config["head_start_ray_commands"][1]) == (name == "ray_cluster.yaml")


def test_one_machine_as_it_stands():
    assert raw("ray_cluster.yaml")["provider"] == {"type": "local", "head_ip": "127.0.0.1", "worker_ips": []}


@pytest.mark.parametrize("name", CLOUDS)
def test_a_cloud_starts_with_nothing_but_a_head_that_computes_nothing(name):
    types = raw(name)["available_node_types"]
    assert types["head"]["resources"] == {"CPU": 0}
    assert {"cpu_spot", "gpu_spot"} == set(types) - {"head"}
    assert all(types[worker]["min_workers"] == 0 for worker in ("cpu_spot", "gpu_spot"))
    assert types["gpu_spot"]["resources"]["GPU"] >= 1
    for worker in ("cpu_spot", "gpu_spot"):
        assert "SPOT" in str(types[worker]["node_config"]).upper()


@pytest.mark.parametrize("name", CLOUDS)
def test_what_clouds_share_with_machines_of_ones_own(name):
    own, cloud = raw("ray_cluster.yaml"), raw(name)
    assert cloud["rsync_exclude"] == own["rsync_exclude"]
    assert cloud["worker_start_ray_commands"] == own["worker_start_ray_commands"]
    assert cloud["head_setup_commands"] == own["head_setup_commands"]
    assert set(own["setup_commands"]) - set(cloud["setup_commands"]) == {own["setup_commands"][1]}  # the cloud's client
