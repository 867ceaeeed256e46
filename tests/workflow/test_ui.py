"""The MLflow UI as its users see it: the table of runs, sorted, grouped, two compared.

With `ABD_SCREENSHOTS=FOLDER` what the browser shows is kept there; `ABD_SHOWN=FOLDER` shows
the runs of another folder of the workflow, such as a finished demo.
"""

import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from tests.workflow.conftest import ROOT, Workflow, clean_environment, free_port, with_grid

pytestmark = pytest.mark.browser
SECONDS = 90


@pytest.fixture
def shown(request):
    """The workflow whose runs are shown: of two seeds, where none is given."""
    folder = os.environ.get("ABD_SHOWN")
    if folder:
        return Workflow(Path(folder))
    workflow = request.getfixturevalue("copied")
    workflow.edit(with_grid(seeds=[0, 1]))
    workflow.snakemake()
    return workflow


@pytest.fixture
def address(shown):
    """What `make ui` says, while it serves."""
    ui = subprocess.Popen(
        [sys.executable, str(ROOT / "tools/run_ui.py")],
        cwd=shown.folder, start_new_session=True, text=True,
        env={**clean_environment(), "ABD_UI_PORT": str(free_port())},
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield ui.stdout.readline().removeprefix("the runs: ").strip()
    finally:
        os.killpg(ui.pid, signal.SIGINT)
        ui.communicate()


@pytest.fixture
def browser():
    options = webdriver.ChromeOptions()
    for option in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--window-size=1700,700",
    ):
        options.add_argument(option)
    options.binary_location = shutil.which("chromium")
    driver = webdriver.Chrome(
        options=options, service=Service(shutil.which("chromedriver"))
    )
    yield driver
    driver.quit()


def _text(browser):
    return browser.find_element(By.TAG_NAME, "body").text


def _until(browser, condition):
    """Wait for a condition; what the page redraws meanwhile is looked at again."""
    wait = WebDriverWait(
        browser, SECONDS, ignored_exceptions=(StaleElementReferenceException,)
    )
    return wait.until(condition)


def _click(browser, selector, text):
    """Click the element with this text, once it is there."""

    def clicked(driver):
        for element in driver.find_elements(By.CSS_SELECTOR, selector):
            if element.text.strip().startswith(text) and element.is_displayed():
                element.click()
                return True
        return False

    _until(browser, clicked)


def _type(browser, selector, text):
    """Write a text into a field, in place of what is there."""
    field = browser.find_element(By.CSS_SELECTOR, selector)
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys(text)


def _keep(browser, name):
    folder = os.environ.get("ABD_SCREENSHOTS")
    if folder:
        browser.save_screenshot(str(Path(folder) / name))


def _open(browser, address):
    """The table of runs; the server may still be starting."""

    def there(driver):
        driver.get(address)
        return WebDriverWait(driver, 10, ignored_exceptions=()).until(
            lambda d: "matching runs" in _text(d)
        )

    WebDriverWait(browser, SECONDS, ignored_exceptions=(Exception,)).until(there)


NAMES = """
return [...document.querySelectorAll("[role=row] a[href*='/runs/']")]
  .map((link) => [link.getBoundingClientRect().top, link.textContent])
  .filter(([_, name]) => name)
  .sort((one, other) => one[0] - other[0])
  .map(([_, name]) => name)
"""


SHOW = """
arguments[0].scrollIntoView()
document.querySelectorAll("*").forEach((element) => { element.scrollLeft = 0 })
"""


def _tick(browser, name):
    """Tick the box in the row of a run; there is another that hides it."""
    row = f"//*[@role='row'][.//a[.='{name}']]"
    box = f"{row}//input[contains(@class, 'ag-checkbox-input')]"
    _until(browser, lambda d: not d.find_element(By.XPATH, box).click())


def _group(browser, tag, runs):
    """Group the table by a tag; each of its values has a row with the mean ASR of its runs."""
    _click(browser, "button", "Group by")
    _click(browser, "[role=menuitemcheckbox]", tag)
    browser.find_element(By.TAG_NAME, "body").send_keys(Keys.ESCAPE)
    _until(browser, lambda d: f"Group by: {tag}" in _text(d))
    groups = {}
    for run in runs:
        if tag in run.data.tags:
            groups.setdefault(run.data.tags[tag], []).append(run.data.metrics["asr"])
    for value, rates in groups.items():
        cell = f"[role=row][row-id='tag.{tag}.{value}'] [col-id='metrics.`asr`']"
        mean = pytest.approx(statistics.fmean(rates))
        _until(browser, lambda d, cell=cell, mean=mean: _number(d, cell) == mean)


def _number(browser, selector):
    """The number that an element begins with; None where it shows none yet."""
    text = browser.find_element(By.CSS_SELECTOR, selector).text
    number = re.match(r"[\d.]+(e-\d+)?", text)
    return float(number[0]) if number else None


def test_runs_are_sorted_by_asr_grouped_and_compared(shown, address, browser):
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{shown.folder}/mlflow.db")
    experiment = client.get_experiment_by_name("abd").experiment_id
    runs = client.search_runs([experiment], order_by=["metrics.asr desc"])
    asr = {run.info.run_name: run.data.metrics["asr"] for run in runs}

    _open(browser, address)
    _click(browser, "[data-component-id='mlflow.assistant.chat_panel.close']", "")
    _click(browser, "button", "Columns")
    for name in ("acc", "asr", "source", "defense"):
        _type(browser, "input[placeholder='Search columns']", name)
        _click(browser, ".du-bois-light-tree-title", name)
    browser.find_element(By.TAG_NAME, "body").send_keys(Keys.ESCAPE)
    _click(browser, "button", "Sort:")
    _click(browser, "[role=menuitemcheckbox]", "asr")
    _until(browser, lambda d: "Sort: asr" in _text(d))
    _until(browser, lambda d: len(d.execute_script(NAMES)) == len(asr))
    values = [asr[name] for name in browser.execute_script(NAMES)]
    assert values == sorted(values, reverse=True)
    assert values[0] > values[-1]
    _keep(browser, "mlflow-runs.png")

    _group(browser, "defense", runs)
    _keep(browser, "mlflow-groups.png")
    by = browser.find_element(By.XPATH, "//button[contains(., 'Group by: defense')]")
    by.find_element(By.CSS_SELECTOR, "[role=button]").click()
    _until(browser, lambda d: "Group: " not in _text(d))

    pair = [f"digits badnet_sq ood {defense} s0" for defense in ("none", "abd")]
    for name in pair:
        _tick(browser, name)
    _click(browser, "button", "Compare")
    _until(browser, lambda d: "Comparing 2 Runs" in _text(d))
    text = _until(browser, lambda d: "asr" in _text(d) and _text(d))
    assert [name for name in asr if name in text] == [name for name in asr if name in pair]
    metrics = browser.find_element(By.XPATH, "//*[text()='Metrics']")
    browser.execute_script(SHOW, metrics)
    _until(browser, lambda d: metrics.is_displayed())
    _keep(browser, "mlflow-compare.png")
