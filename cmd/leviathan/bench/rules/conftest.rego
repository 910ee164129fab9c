package main

import rego.v1

import data.leviathan.custom.kube

deny contains problem if some problem in kube.problems(input)
